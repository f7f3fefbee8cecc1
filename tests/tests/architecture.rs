//! Holds the laws of the workspace: who may use whom, what is pure, what a file must not contain.
//! Reads manifests and sources; starts nothing.
//!
//! The tables here are the law. To use a crate where they forbid it, change the table in the same commit and
//! say there why.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use cargo_metadata::{Dependency, DependencyKind, Metadata, MetadataCommand, Package};

/// A crate of ours: its folder, the crates of ours that it may use, and what it must never reach, not even
/// through something else.
struct Law {
    folder: &'static str,
    uses: &'static [&'static str],
    never: &'static [&'static str],
}

const LAWS: &[Law] = &[
    Law { folder: "core", uses: &[], never: &["tokio", "kube", "rdkafka", "mongodb", "reqwest"] },
    Law { folder: "api", uses: &["core"], never: &["tokio", "kube-client", "kube-runtime"] },
    Law { folder: "exchange", uses: &["core"], never: &["tokio", "kube", "rdkafka", "mongodb", "reqwest"] },
    Law { folder: "service", uses: &["core"], never: &["kube", "mongodb"] },
    Law { folder: "store", uses: &["core"], never: &["kube", "rdkafka"] },
    Law { folder: "exchange-sim", uses: &["core"], never: &["kube", "rdkafka", "mongodb"] },
    Law { folder: "plot", uses: &["core"], never: &["tokio", "kube", "rdkafka", "mongodb", "reqwest"] },
    Law { folder: "producer", uses: &["core", "exchange", "service"], never: &["kube", "mongodb"] },
    Law { folder: "consumer", uses: &["core", "service", "store"], never: &["kube", "reqwest"] },
    Law { folder: "controller", uses: &["api", "core", "service"], never: &["mongodb", "reqwest"] },
    Law {
        folder: "cli",
        uses: &["api", "consumer", "core", "exchange-sim", "plot", "producer", "service", "store"],
        never: &["kube-client", "kube-runtime"],
    },
];

/// Outside crates that few may name in their manifests, so that each has its one place.
const PLACES: &[(&str, &[&str])] = &[
    ("axum", &["service", "exchange-sim"]),
    ("clap", &["cli"]),
    ("epaint_default_fonts", &["plot"]),
    ("flate2", &["exchange-sim"]),
    ("jsonschema", &["api"]),
    ("k8s-openapi", &["api", "controller"]),
    ("kube", &["api", "controller"]),
    ("mongodb", &["store"]),
    ("ratatui", &["cli"]),
    ("rdkafka", &["service", "producer", "consumer", "controller", "cli"]),
    ("reqwest", &["producer"]),
    ("resvg", &["plot"]),
    ("rusqlite", &["store"]),
    ("rustix", &["cli"]),
    ("rustls-native-certs", &["producer"]),
    ("schemars", &["api"]),
    ("tokio-tungstenite", &["exchange-sim", "producer"]),
];

/// The package of the tests. It may use everything; nobody may use it.
const TESTS: &str = "pricepipe-tests";

/// What core must not name: the clock, the system, and chance.
const IMPURE: &[&str] = &[
    "::now(",
    "SystemTime",
    "std::env",
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    "print!",
    "println!",
    "fastrand",
];

/// Folders of one machine. Split, or this file would break its own law.
const MACHINE_PATHS: &[&str] = &[concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/Us", "ers/")];

/// The one folder whose files may call C by themselves, for what rust-rdkafka does not bind.
const UNSAFE_FOLDER: &str = "crates/service/src/kafka/native";
const UNSAFE: &[&str] = &["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern", "allow(unsafe_code)"];

/// The feature by which tests make a worker break its promise, to see that they would notice.
const FAULTS: &str = "fault-injection";

const LARGEST_FILE: u64 = 1024 * 1024;
const LONGEST_SOURCE: usize = 400;

#[test]
fn every_crate_has_a_law_and_is_named_after_its_folder() {
    let metadata = metadata();
    let found: BTreeSet<(String, String)> = metadata
        .workspace_packages()
        .iter()
        .map(|package| {
            let folder = package.manifest_path.parent().expect("a folder");
            let folder = folder.strip_prefix(&metadata.workspace_root).expect("inside the workspace");
            (folder.to_string(), package.name.to_string())
        })
        .collect();
    let lawful = LAWS.iter().map(|law| (format!("crates/{}", law.folder), package_name(law.folder)));
    let expected: BTreeSet<_> = lawful.chain([("tests".to_owned(), TESTS.to_owned())]).collect();
    assert_eq!(found, expected, "folder and package of each crate, found and lawful");
}

#[test]
fn a_crate_uses_only_those_of_ours_that_its_law_names() {
    for (law, package) in lawful_packages(&metadata()) {
        let allowed: Vec<String> = law.uses.iter().map(|folder| package_name(folder)).collect();
        for dependency in shipped(&package).filter(|d| d.path.is_some()) {
            assert!(allowed.contains(&dependency.name), "{} must not use {}", package.name, dependency.name);
        }
    }
}

#[test]
fn nobody_uses_the_tests() {
    for package in metadata().workspace_packages() {
        assert!(package.dependencies.iter().all(|d| d.name != TESTS), "{} uses {TESTS}", package.name);
    }
}

#[test]
fn an_outside_crate_is_named_only_in_its_places() {
    for (law, package) in lawful_packages(&metadata()) {
        for dependency in shipped(&package) {
            if let Some((name, places)) = PLACES.iter().find(|(name, _)| *name == dependency.name) {
                assert!(
                    places.contains(&law.folder),
                    "{name} has its place in {places:?}, not in {}",
                    law.folder
                );
            }
        }
    }
}

#[test]
fn the_api_types_need_no_kubernetes_client() {
    for (law, package) in lawful_packages(&metadata()) {
        for kube in shipped(&package).filter(|d| d.name == "kube" && law.folder != "controller") {
            assert!(
                !kube.uses_default_features,
                "{}: kube's default features bring its client",
                package.name
            );
            assert!(
                kube.features.iter().all(|feature| ["derive", "cel"].contains(&feature.as_str())),
                "{}: kube with {:?}; the types need derive and cel alone",
                package.name,
                kube.features
            );
        }
    }
}

#[test]
fn a_crate_never_reaches_what_its_law_forbids() {
    for law in LAWS {
        let reached = reached_from(&package_name(law.folder));
        assert!(reached.len() > 1, "{} depends on something: {reached:?}", law.folder);
        for forbidden in law.never {
            assert!(
                !reached.contains(*forbidden),
                "{} must never reach {forbidden}; `cargo tree -p {} -i {forbidden}` shows how it does",
                law.folder,
                package_name(law.folder)
            );
        }
    }
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    for package in metadata().workspace_packages() {
        let manifest = fs::read_to_string(&package.manifest_path).expect("a manifest");
        assert!(
            manifest.contains("[lints]\nworkspace = true"),
            "{} has lints of its own",
            package.manifest_path
        );
    }
}

#[test]
fn core_has_no_clock_and_does_no_input_or_output() {
    let sources = files("crates/core/src", ".rs");
    assert!(sources.len() > 10, "core's sources are found: {sources:?}");
    for file in sources {
        for (number, line) in code(&file) {
            let impure = IMPURE.iter().find(|word| line.contains(*word));
            assert_eq!(impure, None, "{}:{number} is not pure: {line}", file.display());
        }
    }
}

#[test]
fn unsafe_code_stands_in_one_folder() {
    let this = Path::new(file!()).file_name();
    let elsewhere = |file: &&PathBuf| !file.starts_with(UNSAFE_FOLDER) && file.file_name() != this;
    for file in files("", ".rs").iter().filter(elsewhere) {
        for (number, line) in text(file).lines().enumerate() {
            let found = UNSAFE.iter().find(|word| line.contains(*word));
            assert_eq!(
                found,
                None,
                "{}:{}: {line}; its place is {UNSAFE_FOLDER}",
                file.display(),
                number + 1
            );
        }
    }
}

#[test]
fn a_fault_for_tests_is_never_shipped() {
    for (_, package) in lawful_packages(&metadata()) {
        let on_by_default = package.features.get("default").is_some_and(|f| f.contains(&FAULTS.to_owned()));
        assert!(!on_by_default, "{}: {FAULTS} is on by default", package.name);
        for dependency in shipped(&package) {
            let asked = dependency.features.iter().any(|feature| feature == FAULTS);
            assert!(!asked, "{} ships {} with {FAULTS}", package.name, dependency.name);
        }
    }
}

#[test]
fn a_source_file_says_first_what_it_is_and_stays_one_idea_long() {
    for file in files("", ".rs").into_iter().filter(|file| !is_test_module(file)) {
        let first = text(&file).lines().next().unwrap_or_default().to_owned();
        assert!(first.starts_with("//! "), "{} opens with {first:?}, not with what it is", file.display());
        let length = code(&file).len();
        assert!(length <= LONGEST_SOURCE, "{} has {length} lines; is it still one idea?", file.display());
    }
}

#[test]
fn no_file_names_the_paths_of_one_machine() {
    for file in files("", "") {
        let Ok(text) = fs::read_to_string(root().join(&file)) else { continue };
        for (number, line) in text.lines().enumerate() {
            let named = MACHINE_PATHS.iter().find(|path| names_path(line, path));
            assert_eq!(named, None, "{}:{}: {line}", file.display(), number + 1);
        }
    }
}

#[test]
fn no_file_is_too_large_to_review() {
    for file in files("", "") {
        let size = fs::metadata(root().join(&file)).map_or(0, |metadata| metadata.len());
        assert!(size <= LARGEST_FILE, "{} has {size} bytes", file.display());
    }
}

fn metadata() -> Metadata {
    let manifest = root().join("Cargo.toml");
    MetadataCommand::new().manifest_path(manifest).no_deps().exec().expect("cargo metadata")
}

fn lawful_packages(metadata: &Metadata) -> Vec<(&'static Law, Package)> {
    let package = |law: &Law| {
        let name = package_name(law.folder);
        metadata.packages.iter().find(|package| *package.name == name).cloned()
    };
    LAWS.iter().filter_map(|law| Some((law, package(law)?))).collect()
}

/// What goes into the product; tests may use more.
fn shipped(package: &Package) -> impl Iterator<Item = &Dependency> {
    package.dependencies.iter().filter(|dependency| dependency.kind != DependencyKind::Development)
}

fn package_name(folder: &str) -> String {
    if folder == "cli" { "pricepipe".to_owned() } else { format!("pricepipe-{folder}") }
}

/// The names of all packages that are compiled into this one, on this machine and with the features in use.
fn reached_from(package: &str) -> BTreeSet<String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let arguments = ["tree", "--package", package, "--edges", "normal,build", "--prefix", "none"];
    let output = Command::new(cargo).args(arguments).current_dir(root()).output().expect("cargo tree");
    assert!(output.status.success(), "cargo tree: {}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).expect("text");
    lines.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

/// The files under git's care, those about to be added too, whose path starts and ends so.
fn files(start: &str, end: &str) -> Vec<PathBuf> {
    let arguments = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let output = Command::new("git").args(arguments).current_dir(root()).output().expect("git");
    assert!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr));
    let names = String::from_utf8(output.stdout).expect("names in UTF-8");
    let wanted = |name: &&str| !name.is_empty() && name.starts_with(start) && name.ends_with(end);
    let found = names.split('\0').filter(wanted).map(PathBuf::from);
    found.filter(|file| root().join(file).exists()).collect()
}

/// The lines of a source file that are neither comments nor tests, with their numbers.
fn code(file: &Path) -> Vec<(usize, String)> {
    if is_test_module(file) {
        return Vec::new();
    }
    let text = text(file);
    let lines = text.lines().enumerate().take_while(|(_, line)| line.trim() != "#[cfg(test)]");
    let code = lines.filter(|(_, line)| !line.trim_start().starts_with("//"));
    code.map(|(index, line)| (index + 1, line.to_owned())).collect()
}

/// Whether a file holds the unit tests of the module beside it.
fn is_test_module(file: &Path) -> bool {
    file.file_name().is_some_and(|name| name == "tests.rs")
}

/// Whether a line holds this path from its beginning, not as the end of a longer one.
fn names_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || "._-}/~".contains(c))
    })
}

fn text(file: &Path) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the workspace")
}
