//! `values.yaml` as its readers see it: every value with its comment and its default.

use pricepipe_tests::{chart, generated};
use serde_json::Value;

/// A value, or a section of values.
pub(super) struct Entry {
    pub(super) path: Vec<String>,
    /// What the comment above it says.
    pub(super) comment: String,
    /// What it is, as it is written; of a section nothing.
    pub(super) written: String,
    pub(super) default: Value,
    pub(super) is_section: bool,
}

impl Entry {
    pub(super) fn name(&self) -> String {
        self.path.join(".")
    }

    pub(super) fn path(&self) -> Vec<&str> {
        self.path.iter().map(String::as_str).collect()
    }
}

/// Values that are documented as a whole, though they are written as sections.
const WHOLE: &[&str] = &["resources"];

/// All sections and values, in their order.
pub(super) fn entries() -> Vec<Entry> {
    let text = generated::read(chart::VALUES);
    let defaults: Value = serde_saphyr::from_str(&text).expect("YAML");
    let mut entries: Vec<Entry> = Vec::new();
    let mut comment: Vec<&str> = Vec::new();
    let mut path: Vec<String> = Vec::new();
    let mut inside_whole = usize::MAX;
    for line in text.lines() {
        let depth = (line.len() - line.trim_start().len()) / 2;
        if let Some(words) = line.trim_start().strip_prefix('#') {
            comment.push(words.trim());
            continue;
        }
        let said = std::mem::take(&mut comment).join(" ");
        if line.trim().is_empty() || depth > inside_whole {
            continue;
        }
        let (key, written) = line.trim_start().split_once(':').unwrap_or_else(|| panic!("no value: {line}"));
        path.truncate(depth);
        path.push(key.to_owned());
        let pointer = format!("/{}", path.join("/"));
        let default = defaults.pointer(&pointer).unwrap_or_else(|| panic!("no value: {pointer}")).clone();
        let is_whole = WHOLE.contains(&key);
        let is_section = written.is_empty() && !is_whole;
        inside_whole = if is_whole { depth } else { usize::MAX };
        let written = if is_whole { default.to_string() } else { written.trim().to_owned() };
        entries.push(Entry { path: path.clone(), comment: said, written, default, is_section });
    }
    entries
}

/// The values alone.
pub(super) fn leaves() -> Vec<Entry> {
    entries().into_iter().filter(|entry| !entry.is_section).collect()
}

/// What a value without a comment means, by the end of its path: blocks that every chart has.
const STANDARD: &[(&[&str], &str)] = &[
    (&["image", "registry"], "Registry that the image comes from"),
    (&["image", "repository"], "The image's name there"),
    (&["image", "tag"], "The image's tag"),
    (&["image", "pullPolicy"], "When it is pulled: Always, IfNotPresent or Never"),
    (&["service", "type"], "ClusterIP, NodePort or LoadBalancer"),
    (&["service", "port"], "Port of the Service"),
    (&["size"], "Size of the volume"),
    (&["accessModes"], "How nodes may mount the volume"),
    (&["annotations"], "Its annotations"),
    (&["key"], "The key in that Secret"),
    (&["extraVolumes"], "More volumes of the pods"),
    (&["extraVolumeMounts"], "Where the containers mount them"),
    (&["podLabels"], "More labels of the pods"),
    (&["podAnnotations"], "More annotations of the pods"),
    (&["resources"], "What the container is given, and may not exceed"),
    (&["priorityClassName"], "Instead of scheduling.priorityClassName"),
    (&["nodeSelector"], "Instead of scheduling.nodeSelector"),
    (&["tolerations"], "Instead of scheduling.tolerations"),
    (&["affinity"], "Nodes and neighbours that the pods want or avoid"),
    (&["topologySpreadConstraints"], "How the pods are spread over nodes and zones"),
    (&["interval"], "How often they are scraped, as a duration"),
    (&["relabelings"], "Changes to the labels of targets, in a PodMonitor's form"),
    (&["metricRelabelings"], "Changes to the labels of samples, in a PodMonitor's form"),
];

/// What a value means: its comment, or what is standard.
pub(super) fn description(entry: &Entry) -> String {
    if !entry.comment.is_empty() || entry.is_section {
        return entry.comment.clone();
    }
    let path = entry.path();
    let standard = STANDARD.iter().find(|(end, _)| path.ends_with(end)).map(|(_, meaning)| *meaning);
    standard
        .unwrap_or_else(|| panic!("values.yaml says nothing of {}: add a comment above it", entry.name()))
        .to_owned()
}
