//! What is served under which name, what it tells of itself, and what cannot be served.

use std::process::Command;

use rmpv::Value;
use zerorpc::{Method, Service};
use zerorpc_python::PythonService;

use crate::support::{call, modules, options, python, serve, stream};

fn methods(service: &PythonService) -> Vec<Method> {
    service.methods().expect("the process told")
}

fn names(service: &PythonService) -> Vec<String> {
    methods(service).into_iter().map(|method| method.name).collect()
}

/// `a, b=1, *rest, **more`; `??` when nothing is known.
fn shown(method: &Method) -> String {
    let Some(signature) = &method.signature else { return "??".to_owned() };
    let plain = signature.arguments.iter().map(|argument| match &argument.default {
        Some(default) => format!("{}={default}", argument.name),
        None => argument.name.clone(),
    });
    let varargs = signature.varargs.iter().map(|name| format!("*{name}"));
    let keywords = signature.keywords.iter().map(|name| format!("**{name}"));
    plain.chain(varargs).chain(keywords).collect::<Vec<_>>().join(", ")
}

#[test]
fn targets_resolve_as_in_the_reference() {
    for (target, name, method, result) in [
        ("values", "values", "count", 0.into()),
        ("os.path", "posixpath", "basename", Value::Nil),
        ("pkg.mod", "pkg.mod", "function", "function".into()),
        ("pkg.mod.Service", "Service", "here", "pkg.mod".into()),
        ("pkg/mod.py", "pkg.mod", "function", "function".into()),
        ("pkg.mod:Service", "Service", "here", "pkg.mod".into()),
        ("classes.Counter", "Counter", "add", 1.into()),
        ("classes.instance", "Counter", "add", 101.into()),
        ("classes.Callable", "Callable", "method", 1.into()),
        ("classes.table", "dict", "five", 5.into()),
    ] {
        let service = serve(target);
        assert_eq!(service.name(), name, "{target}");
        if !result.is_nil() {
            assert_eq!(call(&service, method, &[]), Ok(result), "{target}");
        }
    }
    let service = serve("os.path");
    assert_eq!(call(&service, "basename", &["/a/b".into()]), Ok("b".into()));
    assert_eq!(names(&serve("classes.table")), ["five"]);
}

#[test]
fn classes_with_all_kinds_of_methods() {
    let service = serve("classes.Counter");
    let told: Vec<_> = methods(&service).iter().map(|m| (m.name.clone(), shown(m))).collect();
    let expected = [
        ("add", "self, amount=1, *rest, **more"),
        ("double", "number"),
        ("later", "self, a"),
        ("name", "cls"),
        ("odd_default", "self, thing=\"<class 'object'>\""),
        ("static_stream", "n"),
        ("upto", "self, end"),
        ("wrapped", "self, value, fallback=nil"),
    ];
    assert_eq!(told, expected.map(|(name, shown)| (name.to_owned(), shown.to_owned())));
    let docs: Vec<_> = methods(&service).into_iter().filter_map(|m| m.doc).collect();
    assert_eq!(docs, ["Adds.\n\nMore about adding.", "Streams."]);
    assert_eq!(call(&service, "double", &[4.into()]), Ok(8.into()));
    assert_eq!(call(&service, "name", &[]), Ok("Counter".into()));
    assert_eq!(call(&service, "later", &[1.into()]), Ok(1.into()));
    assert_eq!(stream(&service, "upto", &[3.into()]).count(), 3);
    assert_eq!(stream(&service, "static_stream", &[3.into()]).count(), 2);
}

#[test]
fn builtins_tell_their_signature_in_their_documentation() {
    let service = serve("time");
    let told: Vec<_> = methods(&service).iter().map(|m| (m.name.clone(), shown(m))).collect();
    for (name, signature) in
        [("strftime", "format, tuple=nil"), ("localtime", "seconds=nil"), ("time", "")]
    {
        assert!(told.contains(&(name.to_owned(), signature.to_owned())), "{name} in {told:?}");
    }
    let strftime = methods(&service).into_iter().find(|method| method.name == "strftime");
    let doc = strftime.and_then(|method| method.doc).expect("is documented");
    assert!(doc.starts_with("strftime(format[, tuple]) -> string"), "{doc}");
    assert_eq!(call(&service, "strftime", &["%%".into()]), Ok("%".into()));
    assert_eq!(call(&service, "sleep", &["3".into()]).expect_err("is text").name, "TypeError");
}

#[test]
fn what_cannot_be_served_is_told_in_one_line() {
    for (target, expected) in [
        ("no_such_module", "no module named 'no_such_module' in "),
        ("no_such_module.inside", "no module named 'no_such_module' in "),
        ("pkg.nothing", "'pkg' has neither an attribute nor a module 'nothing'"),
        ("values.nothing", "'values' has no attribute 'nothing'"),
        ("values.py", "'values' has no attribute 'py'; leave out .py"),
        ("pkg/nothing.py", "there is no file "),
        ("", "is no name"),
        ("a..b", "is no name"),
        ("broken_syntax", "invalid syntax (broken_syntax.py, line 1)"),
        ("broken_import", "importing 'broken_import' failed: ModuleNotFoundError: "),
        ("broken_run", "importing 'broken_run' failed: ValueError: two lines"),
        ("leaves", "importing 'leaves' failed: SystemExit: 4"),
        ("dies", "(exit status: 7)"),
        ("classes.Demanding", "calling classes.Demanding() failed: TypeError: "),
    ] {
        let error = PythonService::start_with(target, options()).expect_err(target).to_string();
        assert!(error.contains(expected), "{target}: {error}");
        assert!(!error.contains('\n'), "{error}");
    }
}

#[test]
fn the_interpreter_may_be_missing() {
    let run = |python: &str| {
        let options = options().python(python);
        PythonService::start_with("values", options).expect_err("is no Python").to_string()
    };
    let error = run("/nowhere/python3");
    assert!(error.contains("cannot run /nowhere/python3: there is no such program"), "{error}");
    assert!(run("false").contains("false ended while it loaded \"values\" (exit status: 1)"));
    // Something that runs, answers, and is no Python.
    assert!(run("echo").contains("echo ended while it loaded"));
}

#[test]
fn the_bridge_passes_its_own_tests() {
    for name in [
        "test_codec.py",
        "test_failures.py",
        "test_introspect.py",
        "test_resolve.py",
        "test_values.py",
        "test_wire.py",
    ] {
        let tests = modules().join("..").join(name);
        let output = Command::new(python()).arg("-B").arg(tests).output().expect("runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}
