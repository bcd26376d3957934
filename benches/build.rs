//! Writes the gRPC service of `src/subjects/tonic.rs`, from a description in Rust: no protoc is needed.

fn main() {
    #[cfg(feature = "rivals")]
    write_service();
    println!("cargo::rerun-if-changed=build.rs");
}

#[cfg(feature = "rivals")]
fn write_service() {
    use tonic_build::manual::{Builder, Method, Service};

    let method = |name: &str, route: &str, message: &str| {
        Method::builder()
            .name(name)
            .route_name(route)
            .input_type(format!("crate::{message}"))
            .output_type(format!("crate::{message}"))
            .codec_path("tonic_prost::ProstCodec")
    };
    let service = Service::builder()
        .name("Bench")
        .package("bench")
        .method(method("echo", "Echo", "Number").build())
        .method(method("echo_bytes", "EchoBytes", "Blob").build())
        .method(method("numbers", "Numbers", "Number").server_streaming().build())
        .build();
    Builder::new().compile(&[service]);
}
