//! What librdkafka's complaints are about, and which of them says most. Pure.

use rdkafka::error::RDKafkaErrorCode as Code;

use super::native::Notice;

/// Whether the brokers refuse who we are.
pub fn is_about_login(code: Code) -> bool {
    [Code::Authentication, Code::SaslAuthenticationFailed, Code::UnsupportedSASLMechanism].contains(&code)
}

/// Whether the brokers know who we are and do not allow what we ask for.
pub fn is_forbidden(code: Code) -> bool {
    [Code::ClusterAuthorizationFailed, Code::TopicAuthorizationFailed, Code::GroupAuthorizationFailed]
        .contains(&code)
}

/// The notice that says most of why nothing works, of the one that is known and of those that came since: a refused login
/// rather than the closed connection after it, else the first.
pub fn most_telling(known: Option<Notice>, since: impl IntoIterator<Item = Notice>) -> Option<Notice> {
    let is_about_access = |notice: &Notice| is_about_login(notice.code) || notice.code == Code::SSL;
    // That all brokers are down says nothing of the reason.
    let since = since.into_iter().filter(|notice| notice.code != Code::AllBrokersDown);
    let says_more = |known: Notice, next: Notice| {
        if is_about_access(&next) && !is_about_access(&known) { next } else { known }
    };
    known.into_iter().chain(since).reduce(says_more)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_told_rather_than_what_follows_from_it() {
        let notice = |code, text: &str| Notice { code, text: text.to_owned() };
        let notices = [
            notice(Code::AllBrokersDown, "1/1 brokers are down"),
            notice(Code::BrokerTransportFailure, "disconnected"),
            notice(Code::Authentication, "SASL authentication error"),
            notice(Code::BrokerTransportFailure, "disconnected again"),
        ];
        let told = most_telling(None, notices);
        assert_eq!(told.map(|notice| notice.code), Some(Code::Authentication));
        assert_eq!(most_telling(None, [notice(Code::AllBrokersDown, "down")]), None);
        let known = notice(Code::SSL, "handshake");
        assert_eq!(most_telling(Some(known.clone()), [notice(Code::Authentication, "later")]), Some(known));
    }
}
