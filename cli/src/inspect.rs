//! What a service tells of its methods, and how that is shown (protocol section 10).

use std::fmt::Write;

use rmpv::Value;

use crate::{
    exit::{CliError, Exit},
    remote::printable,
};

mod read;

/// What the user wants to know.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Question {
    /// All methods with the first line of their documentation.
    List,
    /// All methods with their signatures.
    Signatures,
    /// One method with both, and the whole documentation.
    Describe(String),
}

/// Calls a method of the service and gives back its value.
pub(crate) type Ask<'a> = dyn FnMut(&str, Vec<Value>) -> Result<Value, CliError> + 'a;

/// Asks the service, and lays the answer out as text that ends with a newline.
pub(crate) fn answer(question: &Question, ask: &mut Ask<'_>) -> Result<String, CliError> {
    let service = match ask("_zerorpc_inspect", vec![]) {
        Ok(description) => Service::read(&description)?,
        Err(stop) if stop.exit == Exit::Remote => Service::gather(question, ask)?,
        Err(stop) => return Err(stop),
    };
    Ok(service.show(question))
}

/// A service as far as it is known.
#[derive(Debug, Default, PartialEq)]
struct Service {
    name: String,
    /// In the order in which the service lists them.
    methods: Vec<Method>,
}

/// A method as far as it is known.
#[derive(Debug, Default, PartialEq)]
struct Method {
    name: String,
    /// Each parameter as it is shown; `None` when the service cannot tell.
    signature: Option<Vec<String>>,
    doc: Option<String>,
}

impl Service {
    /// Asks one by one, where describing the whole service failed: because it is too old for that, or because
    /// one of its default values cannot be sent. Asks for no more than is shown.
    fn gather(question: &Question, ask: &mut Ask<'_>) -> Result<Self, CliError> {
        let name = remote_only(ask("_zerorpc_name", vec![]))?;
        let name = name.as_ref().and_then(read::text).unwrap_or_else(|| read::NAMELESS.to_owned());
        let mut methods = Vec::new();
        if let Question::Describe(method) = question {
            // A method that does not exist has no documentation that could be asked for, not even none.
            if let Some(doc) = remote_only(ask("_zerorpc_help", vec![method.as_str().into()]))? {
                let signature = signature(method, ask)?;
                methods.push(Method { name: method.clone(), signature, doc: read::doc(&doc) });
            }
            return Ok(Self { name, methods });
        }
        for method in read::names(&ask("_zerorpc_list", vec![])?)? {
            let (signature, doc) = match question {
                Question::List => {
                    (None, remote_only(ask("_zerorpc_help", vec![method.as_str().into()]))?)
                }
                _ => (signature(&method, ask)?, None),
            };
            methods.push(Method { name: method, signature, doc: doc.as_ref().and_then(read::doc) });
        }
        Ok(Self { name, methods })
    }

    fn show(&self, question: &Question) -> String {
        let text = match question {
            Question::List => self.show_list(),
            Question::Signatures => self.show_signatures(),
            Question::Describe(method) => self.show_one(method),
        };
        printable(&text).into_owned()
    }

    fn show_list(&self) -> String {
        let width =
            self.methods.iter().map(|method| method.name.chars().count()).max().unwrap_or(0);
        let mut text = format!("[{}]\n", self.name);
        for method in &self.methods {
            let _ = writeln!(text, "{:width$} {}", method.name, method.first_doc_line());
        }
        text
    }

    fn show_signatures(&self) -> String {
        let mut text = format!("[{}]\n", self.name);
        for method in &self.methods {
            let _ = writeln!(text, "{}", method.call());
        }
        text
    }

    fn show_one(&self, name: &str) -> String {
        match self.methods.iter().find(|method| method.name == name) {
            Some(method) => {
                let doc = method.doc.as_deref().unwrap_or(UNDOCUMENTED);
                format!("[{}]\n{}\n\n{doc}\n\n", self.name, method.call())
            }
            None => format!("No documentation for \"{name}\".\n"),
        }
    }
}

/// Stands where documentation is missing.
const UNDOCUMENTED: &str = "<undocumented>";

impl Method {
    fn first_doc_line(&self) -> &str {
        self.doc.as_deref().and_then(|doc| doc.lines().next()).unwrap_or(UNDOCUMENTED)
    }

    /// How the method is called; `??` when that is not known.
    fn call(&self) -> String {
        match &self.signature {
            Some(parameters) => format!("{}({})", self.name, parameters.join(", ")),
            None => format!("{}(??)", self.name),
        }
    }
}

fn signature(method: &str, ask: &mut Ask<'_>) -> Result<Option<Vec<String>>, CliError> {
    let argspec = remote_only(ask("_zerorpc_args", vec![method.into()]))?;
    Ok(argspec.as_ref().and_then(read::argspec))
}

/// A remote error tells that there is no answer; any other failure ends the inspection.
fn remote_only(answer: Result<Value, CliError>) -> Result<Option<Value>, CliError> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(stop) if stop.exit == Exit::Remote => Ok(None),
        Err(stop) => Err(stop),
    }
}

#[cfg(test)]
mod tests;
