//! The Helm chart, as its users handle it: rendered without a cluster, or installed into the testbed's.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use serde_json::Value;

use tokio::sync::{Mutex, MutexGuard};

use crate::{
    cluster::{CONTEXT, TestNamespace, evidence},
    generated,
};

/// The chart's folder, and files of it, from the repository's root.
pub const FOLDER: &str = "charts/pricepipe";
/// Its values with their defaults.
pub const VALUES: &str = "charts/pricepipe/values.yaml";
/// What they may be.
pub const SCHEMA: &str = "charts/pricepipe/values.schema.json";
/// Its documentation.
pub const README: &str = "charts/pricepipe/README.md";

/// The variables that Kafdrop documents and that we set, from its README.
pub const KAFDROP_VARIABLES: [&str; 4] =
    ["KAFKA_BROKERCONNECT", "KAFKA_PROPERTIES_FILE", "CMD_ARGS", "JVM_OPTS"];

/// A set of values that the chart is tried with: a file in its folder `ci`, or the demo's.
#[derive(Clone, Debug)]
pub struct ValueSet {
    /// The file's name without its end, as in `ha`.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
}

impl ValueSet {
    /// The set of this name.
    pub fn named(name: &str) -> ValueSet {
        let all = ValueSet::all();
        all.into_iter()
            .find(|set| set.name == name)
            .unwrap_or_else(|| panic!("no set of values is called {name}"))
    }

    /// All of them, by name.
    pub fn all() -> Vec<ValueSet> {
        let folder = generated::path(FOLDER);
        let files = |folder: PathBuf| std::fs::read_dir(&folder).expect("a folder of the chart").flatten();
        let mut all: Vec<ValueSet> = files(folder.join("ci"))
            .chain(files(folder))
            .filter_map(|file| {
                let name = file.file_name().into_string().ok()?.strip_suffix("-values.yaml")?.to_owned();
                Some(ValueSet { name, path: file.path() })
            })
            .collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// Helm's arguments for these values and then others.
    pub fn with<'a>(&'a self, others: &[&'a str]) -> Vec<&'a str> {
        [&["--values", self.path.to_str().expect("a path in UTF-8")], others].concat()
    }
}

/// An object that the chart makes.
#[derive(Clone, Debug)]
pub struct Object {
    /// The template that it comes from, as in `controller/deployment.yaml`.
    pub template: String,
    /// The object itself.
    pub manifest: Value,
}

impl Object {
    /// Kind and name, for messages.
    pub fn id(&self) -> String {
        format!("{} {}", self.kind(), self.name())
    }

    /// Its kind.
    pub fn kind(&self) -> &str {
        self.manifest["kind"].as_str().unwrap_or_default()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.manifest["metadata"]["name"].as_str().unwrap_or_default()
    }

    /// Its namespace; empty when it has none.
    pub fn namespace(&self) -> &str {
        self.manifest["metadata"]["namespace"].as_str().unwrap_or_default()
    }

    /// Whether it only lives while `helm test` runs.
    pub fn is_test(&self) -> bool {
        let hook = self.manifest.pointer("/metadata/annotations/helm.sh~1hook");
        hook.and_then(Value::as_str).is_some_and(|hook| hook.contains("test"))
    }

    /// Whether it was asked for by `extraDeploy`, word for word.
    pub fn is_extra(&self) -> bool {
        self.template.starts_with("extra")
    }

    /// The pod that it is or makes: `metadata` and `spec`.
    pub fn pod(&self) -> Option<&Value> {
        if self.kind() == "Pod" {
            return Some(&self.manifest);
        }
        let templates = ["/spec/template", "/spec/jobTemplate/spec/template"];
        templates
            .iter()
            .find_map(|path| self.manifest.pointer(path))
            .filter(|pod| pod["spec"]["containers"].is_array())
    }
}

/// What `helm template` makes of the chart with these arguments, as text.
///
/// # Errors
/// Helm's complaint.
pub fn try_render(arguments: &[&str]) -> Result<String, String> {
    let folder = generated::path(FOLDER);
    let chart = folder.to_str().expect("a path in UTF-8");
    let command = ["template", RELEASE, chart, "--namespace", NAMESPACE];
    try_helm(&[&command, arguments].concat())
}

/// What `helm template` makes of the chart with these arguments. The test fails when Helm does.
pub fn render(arguments: &[&str]) -> Vec<Object> {
    let text = try_render(arguments).unwrap_or_else(|error| panic!("{}: {error}", arguments.join(" ")));
    objects(&text)
}

/// The name of the release that is rendered.
pub const RELEASE: &str = "prices";
/// The namespace that it is rendered for, unless the arguments name another.
pub const NAMESPACE: &str = "market";

/// The objects in what Helm prints: it says above each which template it is from.
pub fn objects(text: &str) -> Vec<Object> {
    let documents = text.split("---\n# Source: ").skip(1);
    let objects = documents.filter_map(|document| {
        let (source, yaml) = document.split_once('\n')?;
        let manifest: Value =
            serde_saphyr::from_str(yaml).unwrap_or_else(|error| panic!("{source}: {error}\n{yaml}"));
        let template = source.split_once("/templates/")?.1.to_owned();
        (!manifest.is_null()).then_some(Object { template, manifest })
    });
    objects.collect()
}

/// What Helm prints. The test fails when it does.
pub fn helm(arguments: &[&str]) -> String {
    try_helm(arguments).unwrap_or_else(|error| panic!("helm {}: {error}", arguments.join(" ")))
}

/// What Helm prints, or its complaint.
///
/// # Errors
/// What it printed, when it ended with anything but 0.
pub fn try_helm(arguments: &[&str]) -> Result<String, String> {
    let program = generated::path("tests/testbed/helm");
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("tests/testbed/helm is started");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let (printed, complaint) = (text(output.stdout), text(output.stderr));
    if output.status.success() { Ok(printed) } else { Err(complaint + &printed) }
}

/// The chart in the testbed's cluster. It is uninstalled when dropped, also when the test has failed.
pub struct Release {
    /// The release's name.
    pub name: &'static str,
    /// Its namespace.
    namespace: String,
    _turn: MutexGuard<'static, ()>,
}

/// One at a time: each has a controller that follows all namespaces.
static TURN: Mutex<()> = Mutex::const_new(());

impl Release {
    /// A release that is not installed yet, once no other is.
    pub async fn of(namespace: &TestNamespace) -> Release {
        let turn = TURN.lock().await;
        Release { name: RELEASE, namespace: namespace.name.clone(), _turn: turn }
    }

    /// `helm install` with these arguments; with `--wait` it returns when all is ready.
    ///
    /// # Errors
    /// Helm's complaint.
    pub fn install(&self, arguments: &[&str]) -> Result<String, String> {
        // The definition outlives a release, and then belongs to one that is gone.
        self.with_chart("install", &[&["--take-ownership"], arguments].concat())
    }

    /// `helm upgrade` with these arguments.
    ///
    /// # Errors
    /// Helm's complaint.
    pub fn upgrade(&self, arguments: &[&str]) -> Result<String, String> {
        self.with_chart("upgrade", arguments)
    }

    /// `helm test` with these arguments.
    ///
    /// # Errors
    /// Helm's complaint.
    pub fn test(&self, arguments: &[&str]) -> Result<String, String> {
        self.run(&[&["test", self.name], arguments].concat())
    }

    /// `helm uninstall` with these arguments.
    ///
    /// # Errors
    /// Helm's complaint.
    pub fn uninstall(&self, arguments: &[&str]) -> Result<String, String> {
        self.run(&[&["uninstall", self.name], arguments].concat())
    }

    fn with_chart(&self, command: &str, arguments: &[&str]) -> Result<String, String> {
        let folder = generated::path(FOLDER);
        let chart = folder.to_str().expect("a path in UTF-8");
        self.run(&[&[command, self.name, chart], arguments].concat())
    }

    /// Helm about this release: its own arguments come first.
    ///
    /// # Errors
    /// Helm's complaint.
    pub fn run(&self, arguments: &[&str]) -> Result<String, String> {
        try_helm(&[&["--kube-context", CONTEXT, "--namespace", &self.namespace], arguments].concat())
    }
}

impl Drop for Release {
    fn drop(&mut self) {
        if std::thread::panicking() {
            evidence::print(&self.namespace);
        }
        let _ = self.uninstall(&["--ignore-not-found"]);
    }
}
