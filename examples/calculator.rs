//! A service and a client of it.
//!
//! ```sh
//! cargo run --example calculator -- serve                 # in one terminal
//! cargo run --example calculator -- call                  # in another
//! zerorpc --json tcp://127.0.0.1:4242 divide 1 4          # or with the command
//! ```
//!
//! An endpoint may follow `serve` and `call`.

use zerorpc::{Client, Error, Failure, Method, Methods, Server};

const ENDPOINT: &str = "tcp://127.0.0.1:4242";

fn main() -> Result<(), Error> {
    let mut args = std::env::args().skip(1);
    let role = args.next().unwrap_or_default();
    let endpoint = args.next().unwrap_or_else(|| ENDPOINT.to_owned());
    match role.as_str() {
        "serve" => serve(&endpoint),
        "call" => call(&endpoint),
        _ => {
            eprintln!("usage: calculator serve|call [ENDPOINT]");
            std::process::exit(2)
        }
    }
}

fn serve(endpoint: &str) -> Result<(), Error> {
    let service = Methods::new("calculator")
        // Types of arguments are those of the closure: a caller who sends others gets a `TypeError`.
        .method("add", |a: i64, b: i64| {
            // Overflow is the caller's to hear of, not this program's to die of. (A panic would not end the server
            // either: it is answered as an error, and tells less.)
            a.checked_add(b).ok_or_else(|| Failure::new("OverflowError", "the sum has no 64 bits"))
        })
        // What is said of a method here is what `zerorpc tcp://127.0.0.1:4242` lists.
        .method(
            Method::new("divide").doc("How often b is in a.").arguments(["a", "b"]),
            |a: f64, b: f64| match b {
                // Callers see this name as the exception's class.
                0.0 => Err(Failure::new("ZeroDivisionError", "division by zero")),
                b => Ok(a / b),
            },
        )
        // Any error will do with `?`: its type is the name that callers see.
        .method("parse", |text: String| Ok(text.trim().parse::<i64>()?));
    let server = Server::builder().service(service).bind(endpoint).build()?;
    // As bound: with `tcp://127.0.0.1:*` the system has chosen the port.
    println!("serving at {}", server.endpoints()[0]);
    server.wait();
    Ok(())
}

fn call(endpoint: &str) -> Result<(), Error> {
    // The server need not be there yet: a call waits for it, as long as its timeout allows.
    let client = Client::connect(endpoint)?;

    // The type of the answer is chosen here; arguments are a tuple.
    let sum: i64 = client.call("add", (20, 22))?;
    println!("20 + 22 = {sum}");
    println!("1 / 4 = {}", client.call::<f64>("divide", (1, 4))?);

    // What the service says, and what the network does, are different errors.
    match client.call::<f64>("divide", (1, 0)) {
        Ok(quotient) => println!("1 / 0 = {quotient}"),
        Err(Error::Remote { error, .. }) => println!("1 / 0: {}: {}", error.name, error.message),
        Err(other) => return Err(other),
    }
    Ok(())
}
