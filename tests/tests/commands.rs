//! Every command's help: docs/commands.md repeats it, and each of its examples can be typed as it stands.

use std::{
    fmt::Write as _,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use pricepipe_tests::{command_line, generated};

/// They run until they are told to stop.
const ENDLESS: [&str; 4] = ["backfill", "run", "simulate-exchange", "watch"];
/// A variable is missing, for one.
const INVALID: i32 = 3;
/// What this process may need of the network is not here.
const NO_SERVER: i32 = 4;
/// What was asked for is not there: no Kafka that a command could look into.
const NOT_FOUND: i32 = 5;

#[test]
fn the_page_of_commands_is_up_to_date() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut page = String::from(
        "# Commands\nWhat `pricepipe COMMAND --help` says. `pricepipe man` makes manual pages of it, and `pricepipe completions` \
         completion for a shell.\n",
    );
    for words in commands(folder.path()) {
        let help = help(folder.path(), &words);
        let heading = if words.len() > 1 { "###" } else { "##" };
        let name = [&["pricepipe".to_owned()], &words[..]].concat().join(" ");
        write!(page, "\n{heading} {name}\n```text\n{}\n```\n", help.trim_end()).expect("a text takes all");
    }
    generated::hold_file("docs/commands.md", &page);
}

#[test]
fn every_command_has_examples_and_each_can_be_typed_as_it_stands() {
    let folder = tempfile::tempdir().expect("a folder");
    std::os::unix::fs::symlink(command_line::example(""), folder.path().join("examples")).expect("a link");
    std::fs::write(
        folder.path().join("trades.csv"),
        "id,time_ms,price,quantity,side\n1,1795413600000,1.5,2,buy\n",
    )
    .expect("a file");
    let simulated = "run examples/quickstart.yaml --simulate --stop-after 7 --admin-address localhost:0";
    let words: Vec<&str> = simulated.split(' ').collect();
    assert_eq!(command_line::run(folder.path(), &[], &words).code, 0, "prices to look at");
    for words in commands(folder.path()).into_iter().filter(|words| !words.is_empty()) {
        let examples = examples(&help(folder.path(), &words));
        assert!(!examples.is_empty(), "{words:?} has no example");
        for example in examples.iter().filter(|example| example.contains("pricepipe ")) {
            let code = typed(folder.path(), example);
            // The Secrets of this pipeline are in no environment here, which is said before anything else.
            let lacks_secrets = code == INVALID && example.contains("real-servers.yaml");
            let expected = [0, NO_SERVER, NOT_FOUND].contains(&code) || lacks_secrets;
            assert!(expected, "{example}: exit code {code}");
            let needs_nothing = ["query", "validate", "estimate", "crd", "completions", "man"];
            assert!(code == 0 || !needs_nothing.contains(&words[0].as_str()), "{example}: exit code {code}");
        }
    }
}

/// Every command by its words, none for `pricepipe` itself, in the order of their names.
fn commands(folder: &Path) -> Vec<Vec<String>> {
    let pages = folder.join("man");
    let said = command_line::run(folder, &[], &["man", "--dir", "man"]);
    assert_eq!(said.code, 0, "{}", said.err);
    let mut names: Vec<String> = std::fs::read_dir(pages)
        .expect("pages")
        .map(|page| page.expect("a page").file_name().to_string_lossy().replace(".1", ""))
        .collect();
    names.sort();
    names.iter().map(|name| words(folder, name)).collect()
}

/// `pricepipe-query-moving-average`: what is a word and what is two is seen from the page of the command above.
fn words(folder: &Path, name: &str) -> Vec<String> {
    let Some(rest) = name.strip_prefix("pricepipe-") else { return Vec::new() };
    let above = rest.match_indices('-').map(|(at, _)| &rest[..at]);
    let group = above
        .filter(|above| folder.join(format!("man/pricepipe-{above}.1")).exists())
        .find(|above| rest.len() > above.len());
    match group {
        Some(group) => vec![group.to_owned(), rest[group.len() + 1..].to_owned()],
        None => vec![rest.to_owned()],
    }
}

fn help(folder: &Path, words: &[String]) -> String {
    let arguments: Vec<&str> = words.iter().map(String::as_str).chain(["--help"]).collect();
    let said = command_line::run(folder, &[], &arguments);
    assert_eq!(said.code, 0, "{words:?}: {}", said.err);
    // clap indents lines that are empty.
    said.out.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// The commands below `Examples:`, each on one line.
fn examples(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Examples:").skip(1);
    let text: Vec<&str> = lines.take_while(|line| !line.is_empty()).map(str::trim).collect();
    text.join("\n").replace("\\\n", "").lines().map(str::to_owned).collect()
}

/// Types a line into a shell whose `pricepipe` is the one that was built; what it is piped to is left away. One that does
/// not end by itself is interrupted.
fn typed(folder: &Path, line: &str) -> i32 {
    let line = line.split(" | ").next().expect("a command").split(" > ").next().expect("a command");
    let folder_of_binary =
        Path::new(&pricepipe_tests::worker::binary("pricepipe")).parent().map(Path::to_owned);
    let path = format!("{}:/usr/bin:/bin", folder_of_binary.expect("a folder").display());
    let mut shell = std::process::Command::new("bash");
    shell.args(["-c", &format!("exec {}", with_env(line))]).current_dir(folder).env_clear().env("PATH", path);
    shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = shell.spawn().expect("bash");
    let endless = ENDLESS.iter().any(|command| line.contains(&format!("pricepipe {command}")));
    let start = Instant::now();
    let mut interrupted = false;
    loop {
        if let Some(status) = child.try_wait().expect("a child") {
            return status.code().unwrap_or(-1);
        }
        if endless && !interrupted && start.elapsed() > Duration::from_secs(2) {
            interrupted = true;
            let _ = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
        }
        assert!(start.elapsed() < Duration::from_secs(60), "{line} does not end");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Variables that stand before a command, in the form that `exec` takes.
fn with_env(line: &str) -> String {
    if line.starts_with("pricepipe ") { line.to_owned() } else { format!("env {line}") }
}
