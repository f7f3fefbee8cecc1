//! A worker binary as a process of its own.

use std::{
    fs::File,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::http;

/// A binary of this workspace, built beside the tests.
pub fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let folder = test.parent().and_then(Path::parent).expect("target/<profile>/deps/<test>");
    let path = folder.join(name);
    assert!(path.exists(), "{} is not built: cargo build --workspace", path.display());
    path
}

/// A free port of the loopback interface.
pub fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port")
}

/// Resident memory of a process in MiB: now and at its highest. Nothing of one that has ended.
pub fn memory_mib(process: u32) -> (f64, f64) {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
    };
    (field("VmRSS:"), field("VmHWM:"))
}

/// A running worker. Killed when dropped.
pub struct Worker {
    child: Child,
    /// Where its admin pages are.
    pub admin: SocketAddr,
    /// Everything it printed.
    pub log: PathBuf,
}

impl Worker {
    /// Starts `binary` with this configuration; its files lie in `folder`.
    pub fn start(binary_name: &str, config: &Value, environment: &[(&str, &str)], folder: &Path) -> Worker {
        let file = folder.join(format!("{binary_name}-{}.json", free_address().port()));
        std::fs::write(&file, config.to_string()).expect("a writable folder");
        Worker::start_with(binary_name, &[&file], environment, folder)
    }

    /// Starts `binary` with these arguments; its log lies in `folder`.
    pub fn start_with(
        binary_name: &str,
        arguments: &[&Path],
        environment: &[(&str, &str)],
        folder: &Path,
    ) -> Worker {
        let admin = free_address();
        let log = folder.join(format!("{binary_name}-{}.log", admin.port()));
        let output = File::create(&log).expect("a writable folder");
        let child = Command::new(binary(binary_name))
            .args(arguments)
            .env_clear()
            .env("PRICEPIPE_ADMIN_ADDRESS", admin.to_string())
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a file handle"))
            .stderr(output)
            .spawn()
            .expect("the binary starts");
        Worker { child, admin, log }
    }

    /// Sends a signal, such as `TERM`, `KILL`, `STOP`.
    pub fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([&format!("-{signal}"), &self.child.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "kill -{signal}");
    }

    /// Asks it to stop and returns how it ended, which must be within `patience`.
    pub fn terminate(&mut self, patience: Duration) -> ExitStatus {
        self.signal("TERM");
        self.wait(patience)
    }

    /// Waits for its end.
    pub fn wait(&mut self, patience: Duration) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status;
            }
            assert!(start.elapsed() < patience, "still running after {patience:?}:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends it the hard way.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// True while it runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// True when `/readyz` says so.
    pub fn is_ready(&self) -> bool {
        http::get(self.admin, "/readyz").is_ok_and(|(status, _)| status == 200)
    }

    /// What `/readyz` says.
    pub fn readiness(&self) -> String {
        http::get(self.admin, "/readyz").map(|(_, body)| body).unwrap_or_default()
    }

    /// A metric's sum over the series whose labels contain `labels`; 0 when there is none.
    pub fn metric(&self, name: &str, labels: &str) -> f64 {
        let page = http::get(self.admin, "/metrics").map(|(_, body)| body).unwrap_or_default();
        http::metric(&page, name, labels).unwrap_or(0.0)
    }

    /// Resident memory in MiB: now and at its highest.
    pub fn memory_mib(&self) -> (f64, f64) {
        memory_mib(self.child.id())
    }

    /// CPU time used so far, user and system.
    pub fn cpu_time(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        let after_name = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
        let ticks: u64 = after_name
            .split_whitespace()
            .skip(11)
            .take(2)
            .filter_map(|field| field.parse::<u64>().ok())
            .sum();
        // The kernel reports in ticks of 10 ms.
        Duration::from_millis(ticks * 10)
    }

    /// What it printed so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.kill();
    }
}
