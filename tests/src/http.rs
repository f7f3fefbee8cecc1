//! The smallest HTTP client that can read an admin page. It speaks HTTP/1.0, in which an answer is never cut into chunks.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// The status and the body of a page, or why there is none.
pub fn get(address: SocketAddr, path: &str) -> io::Result<(u16, String)> {
    request("GET", address, path, "")
}

/// The status and the body of the answer to a text that is sent, or why there is none.
pub fn post(address: SocketAddr, path: &str, text: &str) -> io::Result<(u16, String)> {
    request("POST", address, path, text)
}

/// The status and the body of the answer to a deletion, or why there is none.
pub fn delete(address: SocketAddr, path: &str) -> io::Result<(u16, String)> {
    request("DELETE", address, path, "")
}

fn request(method: &str, address: SocketAddr, path: &str, text: &str) -> io::Result<(u16, String)> {
    let mut connection = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
    connection.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(
        connection,
        "{method} {path} HTTP/1.0\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{text}",
        text.len()
    )?;
    let mut response = String::new();
    connection.read_to_string(&mut response)?;
    parse(&response).ok_or_else(|| io::Error::other(format!("no HTTP: {response:?}")))
}

fn parse(response: &str) -> Option<(u16, String)> {
    let status = response.split(' ').nth(1)?.parse().ok()?;
    let (_, body) = response.split_once("\r\n\r\n")?;
    Some((status, body.to_owned()))
}

/// The sum of a metric over all its labels that contain `labels`; `None` when there is none.
pub fn metric(page: &str, name: &str, labels: &str) -> Option<f64> {
    let values = page.lines().filter_map(|line| {
        let (series, value) = line.rsplit_once(' ')?;
        let (found, found_labels) = series.split_once('{').unwrap_or((series, ""));
        (found == name && found_labels.contains(labels)).then(|| value.parse::<f64>().ok())?
    });
    values.fold(None, |sum, value| Some(sum.unwrap_or(0.0) + value))
}
