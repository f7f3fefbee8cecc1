//! The real servers that `make test` starts, named by the environment.

use std::{
    fs::File,
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

/// A server of its own for a test that stops it. Taken down when dropped.
pub struct OwnServer {
    script: PathBuf,
    environment: (&'static str, String),
    /// How it is reached: `host:port`, or a connection string.
    pub address: String,
    /// Of its port.
    _lock: File,
}

impl OwnServer {
    /// A Kafka broker.
    pub fn kafka() -> OwnServer {
        OwnServer::new("kafka", "KAFKA_PORT", 19_092, "KAFKA_BOOTSTRAP_SERVERS=")
    }

    /// A MongoDB-compatible server.
    pub fn mongodb() -> OwnServer {
        OwnServer::new("mongodb", "MONGO_PORT", 27_117, "MONGO_CONNECTION_STRING=")
    }

    /// The variable tells the script its port; `usual` is that of the shared server where nothing else is said. The script
    /// says by a line that begins with `says` how the server is reached.
    fn new(script: &str, variable: &'static str, usual: u16, says: &str) -> OwnServer {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testbed").join(script);
        let (port, lock) = own_port(variable, usual);
        let environment = (variable, port.to_string());
        let mut server = OwnServer { script, environment, address: String::new(), _lock: lock };
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

/// Ten, twenty … above the port of the shared server, which the testbed leaves free for this: the first that no other
/// server of this or another test program has. It is ours for as long as the file is open.
fn own_port(variable: &str, usual: u16) -> (u16, File) {
    let shared = std::env::var(variable).ok().and_then(|port| port.parse().ok()).unwrap_or(usual);
    let mut ports = (1..10).map(|number| shared + 10 * number);
    let free = ports.find_map(|port| {
        let file = File::create(std::env::temp_dir().join(format!("pricepipe-test-port-{port}"))).ok()?;
        file.try_lock().ok().map(|()| (port, file))
    });
    free.expect("one of nine ports is free")
}
