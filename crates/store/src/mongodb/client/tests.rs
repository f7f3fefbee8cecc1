//! Connection strings, and operations against servers that are away or never answer.

use std::{net::SocketAddr, time::Instant as Clock};

use ::mongodb::options::Tls;
use tokio::net::TcpListener;

use super::*;

fn connection(connection_string: &str) -> Result<Arc<Connection>, OpenError> {
    Connection::new(&Secret::new(connection_string), &"fx".parse().unwrap()).map(Arc::new)
}

fn error(connection_string: &str) -> String {
    connection(connection_string).err().unwrap().to_string()
}

#[test]
fn what_switches_certificate_checks_off_is_refused_by_name() {
    for option in INSECURE_OPTIONS {
        for spelling in [(*option).to_owned(), option.to_uppercase()] {
            let text = error(&format!("mongodb://h/?tls=true&{spelling}=true"));
            assert!(text.contains(option) && text.contains("tlsCAFile"), "{text}");
        }
    }
    assert!(connection("mongodb://h/?tls=true&tlsInsecure=false").is_ok());
}

#[test]
fn no_error_shows_a_piece_of_the_password() {
    for text in [
        "mongodb://user:hunt@er2@host/",
        "mongodb://user:hunt/er2@host/",
        "mongodb://user:hunt?er2@host/",
        "mongodb://user:hunt%er2@host/",
        "mongodb://user:hunter2@host:one/?x",
        "mongodb://user:hunter2",
        "mongodb://user:hunter2/fx?w=majority",
        "mongodb://user:hunter2@host:99999/",
        "mongodb://user:hunter2@",
        "mongodb://user:hunter2@host/?tlsCertificateKeyFilePassword=hunter2",
        "mongodb://user:hunter2@host/?authMechanismProperties=hunter2",
        "user:hunter2@host",
        "mongodb+srv://user:hunter2@host:1/",
        "mongodb://user:hunter2@host/?w=majority&tlsInsecure=true",
        "mongodb://user:hunter2@host/?maxPoolSize=many",
        "mongodb://host/?authMechanism=MONGODB-AWS&authMechanismProperties=AWS_SESSION_TOKEN:hunt@er2,x",
    ] {
        let text = error(text);
        assert!(!text.contains("hunt") && !text.contains("er2"), "{text}");
    }
    assert_eq!(
        error("mongodb://user:hunter2@host/?maxPoolSize=many"),
        "MONGO_CONNECTION_STRING: the connection string cannot be read: connection string `maxpoolsize` argument must be a positive integer"
    );
    assert!(error("mongodb://user:hunt@er2@host/").contains("percent-encoded"));
}

#[test]
fn a_faulty_option_or_password_is_named_and_not_taken_for_a_port() {
    for (text, expected) in [
        ("mongodb://user:hunter2@localhost:27017/?bogus=1", "bogus"),
        ("mongodb://user:hunter2@localhost:27017/fx?authMechanism=BOGUS", "BOGUS"),
        ("mongodb://user:hunter2@localhost:27017/?maxPoolSize=many", "maxpoolsize"),
        ("mongodb://user:hunt/er2@localhost:27017/", "percent-encoded"),
        ("mongodb+srv://user:hunter2@cluster.invalid:27017/", "port cannot be specified"),
        ("mongodb://user:hunter2@localhost:one/", "behind the colon of a host stands no port"),
        ("mongodb://user:hunter2", "behind the colon of a host stands no port"),
    ] {
        let text = error(text);
        assert!(text.starts_with("MONGO_CONNECTION_STRING: ") && text.contains(expected), "{text}");
        assert!(!text.contains("got port") && !text.contains("hunt"), "{text}");
    }
}

#[test]
fn a_srv_name_is_not_resolved_before_it_is_needed_and_means_tls() {
    let connection =
        connection("mongodb+srv://user:p%40ss@cluster.invalid/?retryWrites=true&w=majority").unwrap();
    assert!(matches!(connection.connection_string.tls, Some(Tls::Enabled(_))));
}

#[test]
fn writes_ask_for_a_journalled_majority_or_more() {
    use Acknowledgment::*;
    for (options, w) in [
        ("", Majority),
        ("?w=1", Majority),
        ("?w=0", Majority),
        ("?w=3", Majority),
        ("?w=4", Nodes(4)),
        ("?w=majority&journal=false", Majority),
        ("?w=everywhere", Custom("everywhere".to_owned())),
    ] {
        let concern = connection(&format!("mongodb://h/{options}")).unwrap().write_concern();
        assert_eq!((concern.w, concern.journal), (Some(w), Some(true)), "{options}");
        assert_eq!(concern.w_timeout, Some(WRITE_CONCERN_TIMEOUT));
    }
    let concern = connection("mongodb://h/?wTimeoutMS=2500").unwrap().write_concern();
    assert_eq!(concern.w_timeout, Some(Duration::from_millis(2_500)));
}

#[test]
fn an_option_that_the_driver_lacks_does_not_refuse_the_string() {
    assert!(connection("mongodb://h/?socketTimeoutMS=1000").is_ok());
    assert!(connection("mongodb://h/?socketTimeoutMS=1000").unwrap().connection_string.is_without_timeout());
}

trait WithoutTimeout {
    fn is_without_timeout(&self) -> bool;
}

impl WithoutTimeout for ConnectionString {
    #[allow(deprecated)]
    fn is_without_timeout(&self) -> bool {
        self.socket_timeout.is_none()
    }
}

async fn ping(connection: &Arc<Connection>, limit: Duration) -> StoreError {
    let operation = async |database: Database| {
        database.run_command(::mongodb::bson::doc! {"ping": 1}).await?;
        Ok(())
    };
    connection.run("a ping", limit, operation).await.unwrap_err()
}

#[tokio::test]
async fn a_server_that_comes_back_is_used_again() {
    let address = closed_port().await;
    let connection = connection(&format!("mongodb://{address}/?maxPoolSize=2")).unwrap();
    for _ in 0..5 {
        assert_eq!(ping(&connection, Duration::from_secs(5)).await.kind, StoreErrorKind::Unavailable);
    }
    // What speaks no MongoDB is enough to see that a connection is tried.
    let listener = TcpListener::bind(address).await.unwrap();
    let accepted = timeout(Duration::from_secs(3), listener.accept());
    let (accepted, _) = tokio::join!(accepted, ping(&connection, Duration::from_secs(1)));
    assert!(accepted.is_ok());
}

/// A port that nobody listens on.
async fn closed_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

#[tokio::test]
async fn a_refused_connection_is_unavailable_and_says_so_without_the_password() {
    let address = closed_port().await;
    let text = format!("mongodb://user:hunter2@{address}/");
    let started = Clock::now();
    let error = ping(&connection(&text).unwrap(), Duration::from_secs(5)).await;
    assert_eq!(error.kind, StoreErrorKind::Unavailable, "{error}");
    assert!(error.message.contains("Connection refused"), "{error}");
    assert!(error.message.contains(&address.to_string()), "{error}");
    assert!(!format!("{error:?}").contains("hunter2"));
    assert!(started.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn a_server_that_accepts_and_never_answers_times_out_and_holds_no_more_than_the_permits() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            open.push(stream);
        }
    });
    let connection = connection(&format!("mongodb://{address}/?maxPoolSize=4")).unwrap();
    for _ in 0..3 {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..6 {
            let connection = Arc::clone(&connection);
            tasks.spawn(async move { ping(&connection, Duration::from_millis(100)).await });
        }
        while let Some(error) = tasks.join_next().await {
            assert_eq!(error.unwrap().kind, StoreErrorKind::TimedOut);
        }
        assert_eq!(connection.under_way(), 4);
    }
}

#[tokio::test]
async fn an_operation_goes_on_when_its_caller_is_gone() {
    let connection = connection("mongodb://127.0.0.1:1/").unwrap();
    let (ended, end) = tokio::sync::oneshot::channel();
    let operation = async move |_| {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let _ = ended.send(());
        Ok(())
    };
    let error = connection.run("a write", Duration::from_millis(5), operation).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::TimedOut);
    assert_eq!(end.await, Ok(()));
    connection.close().await;
    assert_eq!(ping(&connection, Duration::from_secs(1)).await.message, "the store is closed");
}
