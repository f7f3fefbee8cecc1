//! The real servers that `make test` starts, named by the environment.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
    sync::atomic::{AtomicU16, Ordering::Relaxed},
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

/// A server of its own for a test that stops it. Taken down when dropped.
pub struct OwnServer {
    script: PathBuf,
    environment: (&'static str, String),
    /// How it is reached: `host:port`, or a connection string.
    pub address: String,
}

impl OwnServer {
    /// A Kafka broker.
    pub fn kafka() -> OwnServer {
        let port = own_port("KAFKA_PORT", 19_092);
        OwnServer::new("kafka", ("KAFKA_PORT", port.to_string()), "KAFKA_BOOTSTRAP_SERVERS=")
    }

    /// A MongoDB-compatible server.
    pub fn mongodb() -> OwnServer {
        let port = own_port("MONGO_PORT", 27_117);
        OwnServer::new("mongodb", ("MONGO_PORT", port.to_string()), "MONGO_CONNECTION_STRING=")
    }

    /// The script says by a line that begins with `says` how the server is reached.
    fn new(script: &str, environment: (&'static str, String), says: &str) -> OwnServer {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testbed").join(script);
        let mut server = OwnServer { script, environment, address: String::new() };
        server.call("down");
        let said = server.call("up");
        let address = said.lines().find_map(|line| line.strip_prefix(says));
        server.address = address.expect("`up` says how the server is reached").to_owned();
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

    fn call(&self, verb: &str) -> String {
        let mut command = Command::new(&self.script);
        command.arg(verb).env(self.environment.0, &self.environment.1).stdin(Stdio::null());
        let output = command.output().expect("the testbed's script runs");
        assert!(
            output.status.success(),
            "{} {verb}: {}",
            self.script.display(),
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        let _ = Command::new(&self.script).arg("down").env(self.environment.0, &self.environment.1).output();
    }
}

/// Ten, twenty … above the port of the shared server, which the testbed leaves free for this.
fn own_port(variable: &str, usual: u16) -> u16 {
    static OWN: AtomicU16 = AtomicU16::new(1);
    let shared = std::env::var(variable).ok().and_then(|port| port.parse().ok()).unwrap_or(usual);
    shared + 10 * OWN.fetch_add(1, Relaxed)
}
