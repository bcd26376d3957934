//! What a page in Markdown shows of the command.

/// What a page may run: the command under both names, and what is done with its files.
const PROGRAMS: [&str; 6] = ["zerorpc", "zerorpc-client", "mkdir", "mv", "cp", "rm"];

/// The sections of a page that have sessions.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) sections: Vec<Section>,
}

/// What stands between two headings.
#[derive(Debug, Default)]
pub(crate) struct Section {
    pub(crate) commands: Vec<Command>,
    pub(crate) files: Vec<File>,
}

/// A command and what it prints.
#[derive(Debug)]
pub(crate) struct Command {
    /// The line of the page, from 1.
    pub(crate) number: usize,
    pub(crate) line: String,
    /// Each line with its newline.
    pub(crate) output: String,
}

/// A file to be there when the commands run.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) text: String,
}

impl Page {
    /// # Errors
    /// When the page cannot be understood, or shows no session.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let mut sections = vec![Section::default()];
        let mut lines = text.lines().zip(1..);
        while let Some((line, number)) = lines.next() {
            if line.starts_with('#') {
                sections.push(Section::default());
            } else if let Some((indent, language)) = line.split_once("```") {
                let indented = |line: &str| line.strip_prefix(indent).map(str::to_owned);
                let mut block = Vec::new();
                loop {
                    let Some((line, number)) = lines.next() else {
                        return Err(format!("line {number}: the block has no end"));
                    };
                    if line.trim() == "```" {
                        break;
                    }
                    block.push((indented(line).unwrap_or_default(), number));
                }
                if let Some(section) = sections.last_mut() {
                    section.add(language.trim(), &block)?;
                }
            }
        }
        sections.retain(|section| !section.commands.is_empty());
        match sections.is_empty() {
            true => Err("the page shows no session".to_owned()),
            false => Ok(Self { sections }),
        }
    }
}

impl Section {
    fn add(&mut self, language: &str, block: &[(String, usize)]) -> Result<(), String> {
        match language {
            "console" => block.iter().try_for_each(|(line, number)| self.add_line(line, *number)),
            "python" | "toml" => {
                let name = block.first().and_then(|(line, _)| line.strip_prefix("# "));
                let is_name = |name: &&str| name.ends_with(".py") || name.ends_with(".toml");
                if let Some(name) = name.filter(is_name) {
                    let text = block.iter().map(|(line, _)| format!("{line}\n")).collect();
                    self.files.push(File { name: name.to_owned(), text });
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn add_line(&mut self, line: &str, number: usize) -> Result<(), String> {
        if let Some(line) = line.strip_prefix("$ ") {
            // Variables of the environment may stand in front.
            let mut words = line.split(' ').skip_while(|word| word.starts_with("ZERORPC_"));
            if !words.next().is_some_and(|program| PROGRAMS.contains(&program)) {
                let others = "only zerorpc and zerorpc-client, and few others, can be run";
                return Err(format!("line {number}: {others}"));
            }
            let (line, output) = (line.to_owned(), String::new());
            self.commands.push(Command { number, line, output });
            return Ok(());
        }
        let Some(command) = self.commands.last_mut() else {
            return Err(format!("line {number}: output without a command"));
        };
        command.output.push_str(line);
        command.output.push('\n');
        Ok(())
    }
}
