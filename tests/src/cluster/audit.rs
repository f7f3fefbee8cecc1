//! The API server's audit log: who asked it for what. The cluster's own parts are not in it.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::PathBuf,
};

use serde::Deserialize;

/// The log from some moment on.
pub struct AuditLog {
    file: PathBuf,
    start: u64,
}

/// A request that the API server has answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete` …
    pub verb: String,
    /// `system:serviceaccount:<namespace>:<name>`, or `admin` for tests.
    pub user: String,
    /// The plural, with the subresource behind a slash: `pricepipelines/status`.
    pub resource: String,
    /// `<namespace>/<name>`, either of which may be empty.
    pub object: String,
    /// The status of the answer.
    pub code: u16,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    stage: String,
    verb: String,
    user: User,
    #[serde(default)]
    object_ref: Object,
    response_status: Option<Answer>,
}

#[derive(Deserialize)]
struct User {
    username: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Object {
    namespace: String,
    name: String,
    resource: String,
    subresource: String,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    code: u16,
}

impl AuditLog {
    /// From now on.
    pub fn from_now() -> AuditLog {
        let file = PathBuf::from(crate::servers::variable("TESTBED_AUDIT_LOG"));
        let start = file.metadata().expect("the audit log").len();
        AuditLog { file, start }
    }

    /// What a user whose name begins with `user` asked for, answered so far.
    pub fn requests(&self, user: &str) -> Vec<Request> {
        let mut file = File::open(&self.file).expect("the audit log");
        file.seek(SeekFrom::Start(self.start)).expect("the audit log only grows");
        let mut text = String::new();
        file.read_to_string(&mut text).expect("text");
        // The last line may not have been written to its end.
        let complete = text.rsplit_once('\n').map_or("", |(complete, _)| complete);
        complete.lines().filter_map(request).filter(|request| request.user.starts_with(user)).collect()
    }

    /// Those of them that change something.
    pub fn writes(&self, user: &str) -> Vec<Request> {
        let reads = ["get", "list", "watch"];
        self.requests(user).into_iter().filter(|request| !reads.contains(&request.verb.as_str())).collect()
    }
}

fn request(line: &str) -> Option<Request> {
    let line: Line = serde_json::from_str(line).expect("a line of the audit log");
    // A watch is written down twice: when it begins, and when it ends.
    if line.stage != "ResponseComplete" {
        return None;
    }
    let Object { namespace, name, resource, subresource } = line.object_ref;
    let resource = if subresource.is_empty() { resource } else { format!("{resource}/{subresource}") };
    let code = line.response_status.map_or(0, |answer| answer.code);
    let object = format!("{namespace}/{name}");
    Some(Request { verb: line.verb, user: line.user.username, resource, object, code })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_log_says_who_did_what_to_which_object() {
        let line = r#"{"kind":"Event","stage":"ResponseComplete","verb":"patch","user":{"username":"u","groups":[]},
            "objectRef":{"resource":"pricepipelines","namespace":"n","name":"majors","apiGroup":"pricepipe.dev",
            "subresource":"status"},"responseStatus":{"metadata":{},"code":200}}"#;
        let expected = Request {
            verb: "patch".to_owned(),
            user: "u".to_owned(),
            resource: "pricepipelines/status".to_owned(),
            object: "n/majors".to_owned(),
            code: 200,
        };
        assert_eq!(request(line), Some(expected));
        assert_eq!(request(&line.replace("ResponseComplete", "ResponseStarted")), None);
    }
}
