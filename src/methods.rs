//! Services made of closures.

use std::collections::BTreeMap;

use serde::{Serialize, de::DeserializeOwned};
use zerorpc_proto::Args;

use crate::{
    failure::Failure,
    request::Request,
    service::{Method, Reply, Service},
};

/// A service made of closures: each takes decoded arguments and returns a `Result`.
///
/// Arguments that a caller leaves out are nil: an `Option` takes them as `None`, any other type refuses the
/// call with a `TypeError`.
///
/// ```
/// use zerorpc::{Failure, Method, Methods};
///
/// let service = Methods::new("greeter")
///     .method(
///         Method::new("greet").doc("Greets somebody.").arguments(["name"]),
///         |name: String| match name.as_str() {
///             "" => Err(Failure::new("ValueError", "nobody to greet")),
///             name => Ok(format!("Hello {name}!")),
///         },
///     )
///     .stream("letters", |word: String| Ok(word.chars().collect::<Vec<_>>()));
/// ```
pub struct Methods {
    name: String,
    methods: BTreeMap<String, (Method, Box<dyn Run>)>,
}

/// A registered closure.
trait Run: Send + Sync {
    fn run(&self, request: &Request) -> Result<Reply, Failure>;
}

impl<F: Fn(&Request) -> Result<Reply, Failure> + Send + Sync> Run for F {
    fn run(&self, request: &Request) -> Result<Reply, Failure> {
        self(request)
    }
}

impl Methods {
    /// A service without methods; the name is what `_zerorpc_name` reports.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), methods: BTreeMap::new() }
    }

    /// Adds a method that answers with one value. A method of the same name is replaced.
    #[must_use]
    pub fn method<A, T: Serialize>(
        self,
        method: impl Into<Method>,
        run: impl Callable<A, Output = Result<T, Failure>>,
    ) -> Self {
        self.raw(method, move |request| Ok(Reply::Value(Args::encode(&run.call(request)?)?)))
    }

    /// Adds a method that answers with a stream: the closure returns something to iterate over.
    #[must_use]
    pub fn stream<A, I>(
        self,
        method: impl Into<Method>,
        run: impl Callable<A, Output = Result<I, Failure>>,
    ) -> Self
    where
        I: IntoIterator,
        I::IntoIter: Send + 'static,
        I::Item: Serialize,
    {
        self.raw(method, move |request| {
            let items = run.call(request)?.into_iter();
            Ok(Reply::Stream(Box::new(items.map(|item| Ok(Args::encode(&item)?)))))
        })
    }

    /// Adds a method that answers with a stream whose items may fail; a failure ends the stream.
    #[must_use]
    pub fn try_stream<A, I, T>(
        self,
        method: impl Into<Method>,
        run: impl Callable<A, Output = Result<I, Failure>>,
    ) -> Self
    where
        I: IntoIterator<Item = Result<T, Failure>>,
        I::IntoIter: Send + 'static,
        T: Serialize,
    {
        self.raw(method, move |request| {
            let items = run.call(request)?.into_iter();
            Ok(Reply::Stream(Box::new(items.map(|item| Ok(Args::encode(&item?)?)))))
        })
    }

    /// Adds a method that sees the whole request and answers with encoded values.
    #[must_use]
    pub fn raw(
        mut self,
        method: impl Into<Method>,
        run: impl Fn(&Request) -> Result<Reply, Failure> + Send + Sync + 'static,
    ) -> Self {
        let method = method.into();
        self.methods.insert(method.name.clone(), (method, Box::new(run)));
        self
    }
}

impl Service for Methods {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn methods(&self) -> Result<Vec<Method>, Failure> {
        Ok(self.methods.values().map(|(method, _)| method.clone()).collect())
    }

    fn call(&self, request: &Request) -> Result<Reply, Failure> {
        match self.methods.get(request.method()) {
            Some((_, run)) => run.run(request),
            None => Err(Failure::unknown_method(request.method())),
        }
    }
}

/// A closure of up to eight decoded arguments; `A` is the tuple of their types. Nothing else is.
pub trait Callable<A>: sealed::Sealed<A> + Send + Sync + 'static {
    /// What it returns.
    type Output;

    /// Decodes the arguments and runs the closure.
    ///
    /// # Errors
    /// `TypeError` when the arguments do not fit, and what the closure returns.
    fn call(&self, request: &Request) -> Self::Output;
}

mod sealed {
    /// Nobody else says how arguments are decoded.
    pub trait Sealed<A> {}
}

macro_rules! callable {
    ($count:literal $($argument:ident $index:literal)*) => {
        impl<Func, Out, $($argument,)*> sealed::Sealed<($($argument,)*)> for Func where
            Func: Fn($($argument),*) -> Result<Out, Failure>
        {
        }

        impl<Func, Out, $($argument,)*> Callable<($($argument,)*)> for Func
        where
            Func: Fn($($argument),*) -> Result<Out, Failure> + Send + Sync + 'static,
            $($argument: DeserializeOwned,)*
        {
            type Output = Result<Out, Failure>;

            fn call(&self, request: &Request) -> Result<Out, Failure> {
                let _arguments = arguments(request, $count)?;
                self($(argument::<$argument>(request, &_arguments, $index)?),*)
            }
        }
    };
}

callable!(0);
callable!(1 A 0);
callable!(2 A 0 B 1);
callable!(3 A 0 B 1 C 2);
callable!(4 A 0 B 1 C 2 D 3);
callable!(5 A 0 B 1 C 2 D 3 E 4);
callable!(6 A 0 B 1 C 2 D 3 E 4 F 5);
callable!(7 A 0 B 1 C 2 D 3 E 4 F 5 G 6);
callable!(8 A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7);

fn arguments(request: &Request, most: usize) -> Result<Vec<Args>, Failure> {
    let method = request.method();
    let given = request.args().elements().ok_or_else(|| {
        Failure::new("TypeError", format!("{method}() was not called with a list of arguments"))
    })?;
    if given.len() > most {
        let message = format!("{method}() takes {most} arguments but {} were given", given.len());
        return Err(Failure::new("TypeError", message));
    }
    Ok(given)
}

fn argument<T: DeserializeOwned>(
    request: &Request,
    given: &[Args],
    index: usize,
) -> Result<T, Failure> {
    let method = request.method();
    let number = index + 1;
    let value = given.get(index).cloned().unwrap_or(Args::NIL);
    value.decode().map_err(|error| {
        let message = match given.get(index) {
            Some(_) => format!("{method}() argument {number}: {error}"),
            None => format!("{method}() is missing argument {number}"),
        };
        Failure::new("TypeError", message)
    })
}
