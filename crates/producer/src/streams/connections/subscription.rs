//! What a connection is to be subscribed to, and what the exchange has said to it. Pure: the time is an argument.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use pricepipe_exchange::stream::{Limits, Topic};
use tokio::time::Instant;

use super::markets::Markets;

/// An exchange that has not answered a subscription after so long will not.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// The subscriptions of one connection.
pub(super) struct Subscription {
    topic: Topic,
    limits: Limits,
    markets: Arc<Markets>,
    /// Markets of messages that are still to be sent.
    unsent: VecDeque<Vec<usize>>,
    /// Messages that were sent, by their numbers, and which of their markets are not answered for.
    unanswered: BTreeMap<u64, Request>,
    /// Every market that was or will be asked for, and that was not refused.
    asked: BTreeSet<usize>,
    requests: u64,
    sent: Option<Instant>,
}

struct Request {
    markets: Vec<usize>,
    sent: Instant,
}

impl Subscription {
    /// A connection that is subscribed to nothing.
    pub(super) fn new(topic: Topic, limits: Limits, markets: Arc<Markets>) -> Self {
        Subscription {
            topic,
            limits,
            markets,
            unsent: VecDeque::new(),
            unanswered: BTreeMap::new(),
            asked: BTreeSet::new(),
            requests: 0,
            sent: None,
        }
    }

    /// What is wanted from now on, by their places. What is wanted no more and was asked for already is left to be
    /// silent; it may be asked for again when it is wanted again.
    pub(super) fn want(&mut self, wanted: &BTreeSet<usize>) {
        self.unsent.iter_mut().for_each(|markets| markets.retain(|market| wanted.contains(market)));
        self.unsent.retain(|markets| !markets.is_empty());
        let new: Vec<usize> = wanted.difference(&self.asked).copied().collect();
        self.unsent.extend(new.chunks(self.limits.markets_per_message.max(1)).map(<[usize]>::to_vec));
        self.asked.clone_from(wanted);
    }

    /// True when every market is answered for.
    pub(super) fn is_complete(&self) -> bool {
        self.unsent.is_empty() && self.unanswered.is_empty()
    }

    /// The next message, when it is time for one.
    pub(super) fn next_message(&mut self, now: Instant) -> Option<String> {
        if self.next_moment(now)? > now {
            return None;
        }
        let markets = self.unsent.pop_front()?;
        let names: Vec<&str> = markets.iter().map(|place| self.markets.name(*place)).collect();
        self.requests += 1;
        // No more markets than one message takes: so it is one.
        let message = self.topic.subscribe(&names, self.requests).into_iter().next();
        self.unanswered.insert(self.requests, Request { markets, sent: now });
        self.sent = Some(now);
        message
    }

    /// When the next message may be sent; `None` when there is none.
    pub(super) fn next_moment(&self, now: Instant) -> Option<Instant> {
        let pace = Duration::from_millis(self.limits.message_millis);
        (!self.unsent.is_empty()).then(|| self.sent.map_or(now, |sent| sent + pace))
    }

    /// When the exchange will have failed to answer; `None` when nothing is to be answered.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.unanswered.values().map(|request| request.sent + PATIENCE).min()
    }

    /// Takes back what the exchange has not answered in time, and gives those markets.
    pub(super) fn expired(&mut self, now: Instant) -> Vec<usize> {
        let expired = self.unanswered.extract_if(.., |_, request| request.sent + PATIENCE <= now);
        let markets: Vec<usize> = expired.flat_map(|(_, request)| request.markets).collect();
        self.asked.retain(|market| !markets.contains(market));
        markets
    }

    /// Nothing was read for a while, for reasons of our own: the time does not count.
    pub(super) fn forgive(&mut self, now: Instant) {
        self.unanswered.values_mut().for_each(|request| request.sent = now);
    }

    /// The exchange acknowledges a request, or markets by their names. Gives the markets that were waiting for it.
    pub(super) fn acknowledged(&mut self, request: Option<u64>, names: &[String]) -> Vec<usize> {
        let whole = request.filter(|_| names.is_empty());
        if let Some(request) = whole.and_then(|number| self.unanswered.remove(&number)) {
            return request.markets;
        }
        let named: Vec<usize> = names.iter().filter_map(|name| self.markets.place(name)).collect();
        named.into_iter().filter(|market| self.answered(*market)).collect()
    }

    /// The exchange refuses a request or a market. What else stood in a request that failed as a whole is asked for
    /// again, in halves where it does not say which market was at fault. Gives the markets that are refused for certain.
    pub(super) fn refused(&mut self, request: Option<u64>, name: Option<&str>) -> Vec<usize> {
        let market = name.and_then(|name| self.markets.place(name));
        let of_market = |request: &Request| market.is_none_or(|market| request.markets.contains(&market));
        let number = request.filter(|number| self.unanswered.contains_key(number));
        let number = number.or_else(|| Some(*self.unanswered.iter().find(|(_, r)| of_market(r))?.0));
        let Some(failed) = number.and_then(|number| self.unanswered.remove(&number)) else {
            return Vec::new();
        };
        let refused = match market {
            // An exchange that numbers its answers and names the market answers for each market by itself.
            Some(market) if request.is_some() => {
                let markets: Vec<usize> =
                    failed.markets.into_iter().filter(|other| *other != market).collect();
                if let Some(number) = number.filter(|_| !markets.is_empty()) {
                    self.unanswered.insert(number, Request { markets, ..failed });
                }
                vec![market]
            }
            Some(market) => {
                self.ask_again(failed.markets.into_iter().filter(|other| *other != market).collect());
                vec![market]
            }
            None if failed.markets.len() == 1 => failed.markets,
            None => {
                let mut first = failed.markets;
                let second = first.split_off(first.len() / 2);
                self.ask_again(second);
                self.ask_again(first);
                Vec::new()
            }
        };
        self.asked.retain(|market| !refused.contains(market));
        refused
    }

    fn ask_again(&mut self, markets: Vec<usize>) {
        if !markets.is_empty() {
            self.unsent.push_front(markets);
        }
    }

    /// True when the market was waiting for an answer.
    fn answered(&mut self, market: usize) -> bool {
        let mut was_waiting = false;
        self.unanswered.retain(|_, request| {
            let before = request.markets.len();
            request.markets.retain(|other| *other != market);
            was_waiting |= request.markets.len() < before;
            !request.markets.is_empty()
        });
        was_waiting
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::streams::tests::topic;

    /// Markets `M0`, `M1` and so on; a message takes so many.
    fn subscription(markets: usize, per_message: usize) -> Subscription {
        let names = (0..markets).map(|number| format!("M{number}"));
        let limits = Limits { markets_per_message: per_message, message_millis: 300, ..topic().limits() };
        let mut subscription = Subscription::new(topic(), limits, Arc::new(Markets::new(names)));
        subscription.want(&(0..markets).collect());
        subscription
    }

    /// Sends everything that there is to send, each message when it may be.
    fn send_all(subscription: &mut Subscription, now: &mut Instant) -> usize {
        let mut sent = 0;
        while let Some(moment) = subscription.next_moment(*now) {
            *now = moment.max(*now);
            subscription.next_message(*now);
            sent += 1;
        }
        sent
    }

    #[test]
    fn messages_keep_their_pace_and_are_acknowledged_by_number() {
        let (mut subscription, now) = (subscription(5, 2), Instant::now());
        subscription.next_message(now);
        assert_eq!(subscription.next_message(now + Duration::from_millis(299)), None);
        assert_eq!(subscription.unanswered.len(), 1);
        subscription.next_message(now + Duration::from_millis(300));
        subscription.next_message(now + Duration::from_millis(600));
        assert_eq!(subscription.deadline(), Some(now + PATIENCE));
        assert_eq!(subscription.acknowledged(Some(2), &[]), [2, 3]);
        assert_eq!(subscription.acknowledged(Some(1), &[]), [0, 1]);
        assert!(subscription.acknowledged(Some(1), &[]).is_empty());
        assert!(!subscription.is_complete());
        assert_eq!(subscription.acknowledged(Some(3), &[]), [4]);
        assert!(subscription.is_complete() && subscription.deadline().is_none());
    }

    #[test]
    fn markets_are_acknowledged_by_name_one_by_one_or_together() {
        let (mut subscription, mut now) = (subscription(4, 4), Instant::now());
        send_all(&mut subscription, &mut now);
        assert_eq!(subscription.acknowledged(Some(1), &["M1".to_owned()]), [1]);
        let rest = ["M0", "M1", "M2", "M3", "OTHER"].map(str::to_owned);
        assert_eq!(subscription.acknowledged(None, &rest), [0, 2, 3]);
        assert!(subscription.is_complete());
    }

    #[test]
    fn one_market_among_many_is_found_by_halves_where_the_exchange_does_not_name_it() {
        let (mut subscription, mut now) = (subscription(200, 200), Instant::now());
        let (mut messages, mut refused) = (0, Vec::new());
        while !subscription.is_complete() {
            messages += send_all(&mut subscription, &mut now);
            let requests: Vec<(u64, bool)> =
                subscription.unanswered.iter().map(|(n, r)| (*n, r.markets.contains(&137))).collect();
            for (number, bad) in requests {
                match bad {
                    true => refused.extend(subscription.refused(Some(number), None)),
                    false => drop(subscription.acknowledged(Some(number), &[])),
                }
            }
        }
        assert_eq!(refused, [137]);
        assert!(messages < 20, "{messages} messages");
    }

    #[test]
    fn the_others_of_a_message_that_failed_as_a_whole_are_asked_for_again() {
        let (mut subscription, mut now) = (subscription(3, 3), Instant::now());
        send_all(&mut subscription, &mut now);
        assert_eq!(subscription.refused(None, Some("M1")), [1]);
        assert_eq!(send_all(&mut subscription, &mut now), 1);
        assert_eq!(subscription.acknowledged(None, &["M0".to_owned(), "M2".to_owned()]), [0, 2]);
        assert!(subscription.is_complete());
    }

    #[test]
    fn a_market_that_is_refused_by_itself_costs_the_others_nothing() {
        let (mut subscription, mut now) = (subscription(2, 2), Instant::now());
        send_all(&mut subscription, &mut now);
        assert_eq!(subscription.refused(Some(1), Some("M0")), [0]);
        assert_eq!(send_all(&mut subscription, &mut now), 0);
        assert_eq!(subscription.acknowledged(Some(1), &["M1".to_owned()]), [1]);
        assert!(subscription.is_complete());
        assert!(subscription.refused(None, None).is_empty(), "a complaint about nothing of ours");
    }

    #[test]
    fn what_is_wanted_may_change_and_nothing_is_asked_for_twice() {
        let (mut subscription, mut now) = (subscription(5, 2), Instant::now());
        subscription.next_message(now);
        subscription.want(&BTreeSet::from([1, 2, 3]));
        assert_eq!(send_all(&mut subscription, &mut now), 1, "4 is wanted no more, 0 was asked for");
        assert_eq!(
            (subscription.acknowledged(Some(1), &[]), subscription.acknowledged(Some(2), &[])),
            (vec![0, 1], vec![2, 3])
        );
        assert!(subscription.is_complete());
        subscription.want(&BTreeSet::from([0, 1, 2, 3, 4]));
        assert_eq!(send_all(&mut subscription, &mut now), 1);
        assert_eq!(subscription.acknowledged(Some(3), &[]), [0, 4], "0 once more, and 4 for the first time");
        subscription.want(&BTreeSet::from([0, 4]));
        assert!(subscription.is_complete());
    }

    #[test]
    fn what_is_not_answered_in_time_can_be_taken_back() {
        let (mut subscription, now) = (subscription(2, 1), Instant::now());
        subscription.next_message(now);
        subscription.next_message(now + PATIENCE);
        assert_eq!(subscription.expired(now + PATIENCE), [0]);
        assert_eq!(subscription.deadline(), Some(now + 2 * PATIENCE), "the other one has its time");
        assert_eq!(subscription.acknowledged(Some(2), &[]), [1]);
        assert!(subscription.is_complete());
    }

    #[test]
    fn what_was_refused_is_asked_for_again_when_it_is_wanted_still() {
        let (mut subscription, mut now) = (subscription(2, 2), Instant::now());
        send_all(&mut subscription, &mut now);
        assert_eq!(subscription.refused(Some(1), Some("M0")), [0]);
        subscription.want(&BTreeSet::from([1]));
        assert_eq!(send_all(&mut subscription, &mut now), 0);
        subscription.want(&BTreeSet::from([0, 1]));
        assert_eq!(send_all(&mut subscription, &mut now), 1);
        assert_eq!(subscription.acknowledged(None, &["M0".to_owned(), "M1".to_owned()]), [0, 1]);
    }

    #[test]
    fn time_in_which_nothing_could_be_read_does_not_count() {
        let (mut subscription, now) = (subscription(1, 1), Instant::now());
        subscription.next_message(now);
        subscription.forgive(now + PATIENCE);
        assert_eq!(subscription.deadline(), Some(now + 2 * PATIENCE));
    }
}
