//! The real servers that `make test` starts, named by the environment.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

/// `host:port` of the Kafka broker.
pub fn kafka() -> String {
    variable("KAFKA_BOOTSTRAP_SERVERS")
}

/// The connection string of the MongoDB-compatible server.
pub fn mongodb() -> String {
    variable("MONGO_CONNECTION_STRING")
}

/// The value of a variable that `make test` sets.
pub fn variable(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: this test needs a server, run it with `make test`"))
}

/// A server of its own for one test that stops it, on a port of its own. Taken down when dropped.
pub struct OwnServer {
    script: PathBuf,
    environment: Vec<(&'static str, String)>,
}

impl OwnServer {
    /// A Kafka broker on this port (and the next ones).
    pub fn kafka(port: u16) -> OwnServer {
        OwnServer::new("kafka", vec![("KAFKA_PORT", port.to_string())])
    }

    /// A MongoDB-compatible server on this port (and the next one).
    pub fn mongodb(port: u16) -> OwnServer {
        OwnServer::new("mongodb", vec![("MONGO_PORT", port.to_string())])
    }

    fn new(script: &str, environment: Vec<(&'static str, String)>) -> OwnServer {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testbed").join(script);
        let server = OwnServer { script, environment };
        server.call("down");
        server.call("up");
        server
    }

    /// Starts it again after [`OwnServer::stop`], with its data.
    pub fn start(&self) {
        self.call("up");
    }

    /// Stops it; its data stays.
    pub fn stop(&self) {
        self.call("stop");
    }

    fn call(&self, verb: &str) {
        let mut command = Command::new(&self.script);
        command.arg(verb).envs(self.environment.iter().cloned()).stdin(Stdio::null());
        let output = command.output().expect("the testbed's script runs");
        assert!(
            output.status.success(),
            "{} {verb}: {}",
            self.script.display(),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        let _ = Command::new(&self.script).arg("down").envs(self.environment.iter().cloned()).output();
    }
}
