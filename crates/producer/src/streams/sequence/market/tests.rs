use pricepipe_core::{Exchange, message::Trade};

use super::*;

fn topic(stream: Stream) -> Topic {
    Topic { exchange: Exchange::Binance, stream, interval: None, partial: false }
}

fn market(last: u64) -> Market {
    let symbol = "BTCUSDT".parse().unwrap();
    let route = Route::new(0, Exchange::Binance, symbol, "btc".parse().unwrap());
    Market::new(Arc::new(route), &topic(Stream::Trade), Some(Mark { number: last, time: time(last) }))
}

fn time(number: u64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + number as i64).unwrap()
}

fn trade(number: u64) -> Record {
    let details = Details::Trade(Trade { quantity: "1".parse().unwrap(), side: None });
    record(Event::Trade(number), details)
}

fn record(event: Event, details: Details) -> Record {
    let time = number(&event).filter(|_| matches!(event, Event::Trade(_))).map(time);
    Record { market: "BTCUSDT".to_owned(), price: "2".parse().unwrap(), details, event, time }
}

fn page(numbers: impl IntoIterator<Item = u64>) -> Page {
    Page { records: numbers.into_iter().map(trade).collect(), ..Page::default() }
}

fn take(market: &mut Market, number: u64, connection: u64) -> Vec<Act<Item>> {
    let mut acts = Vec::new();
    market.take(trade(number), time(number), connection, true, &mut acts);
    acts
}

fn noticed(acts: &[Act<Item>]) -> Option<Noticed> {
    acts.iter().find_map(|act| if let Act::Opened(hole) = act { Some(hole.noticed) } else { None })
}

#[test]
fn a_hole_says_how_it_was_noticed() {
    let mut market = market(10);
    assert_eq!(noticed(&take(&mut market, 12, 1)), Some(Noticed::Restart));
    assert_eq!(noticed(&take(&mut market, 14, 1)), Some(Noticed::Skip));
    assert_eq!(noticed(&take(&mut market, 16, 2)), Some(Noticed::Reconnect));
}

#[test]
fn what_has_no_room_to_be_sent_is_missing_and_comes_out_of_history() {
    let (mut market, mut acts) = (market(10), Vec::new());
    let fates = [10, 11, 12].map(|number| market.postpone(&trade(number), 1, &mut acts));
    assert_eq!(fates, [Fate::Known, Fate::Postponed, Fate::Postponed]);
    assert_eq!(market.order.wanted(), Some(11));
    assert_eq!(market.fill(page(11..=12), time(12), &mut acts), (2, None));
    assert_eq!((market.order.wanted(), market.order.next()), (None, Some(13)));
}

#[test]
fn history_is_asked_for_the_first_number_that_is_missing_and_no_more_once_nothing_is() {
    let mut market = market(10);
    assert_eq!(market.question(Stream::Trade, time(99)), None);
    take(&mut market, 13, 1);
    let wanted = Place::Trades(From::Number(11, Some(time(10))));
    assert_eq!(market.question(Stream::Trade, time(99)), Some(wanted), "near the moment of the last one");
    let mut acts = Vec::new();
    assert_eq!(market.fill(page(11..=13), time(13), &mut acts), (2, None));
    assert_eq!(market.question(Stream::Trade, time(99)), None);
}

#[test]
fn a_page_that_ends_before_what_is_missing_is_followed_by_the_next() {
    let mut market = market(10);
    take(&mut market, 13, 1);
    let next = Some(Place::Trades(From::Cursor(5)));
    let before = Page { next, ..page(1..=9) };
    assert_eq!(market.fill(before, time(9), &mut Vec::new()), (0, None));
    assert_eq!((market.question(Stream::Trade, time(99)), market.patience()), (next, DISORDER));
}

#[test]
fn what_history_does_not_tell_is_asked_for_twice_before_it_is_given_up() {
    let (mut market, mut acts) = (market(10), Vec::new());
    take(&mut market, 14, 1);
    assert_eq!(market.fill(page([12, 13, 14]), time(14), &mut acts), (0, None), "11 may come yet");
    assert_eq!((acts.len(), market.patience()), (0, CONFIRM_AFTER));
    assert_eq!(market.fill(page([12, 13, 14]), time(14), &mut acts), (2, Some(Loss::NotHeld)));
    assert_eq!(market.order.wanted(), None);
    let ended: Vec<u64> = acts
        .iter()
        .filter_map(|act| if let Act::Ended(hole) = act { Some(hole.given_up) } else { None })
        .collect();
    assert_eq!(ended, [1, 0], "one is given up, the rest was filled");
}

#[test]
fn history_that_tells_nothing_or_leaves_something_out_is_asked_from_an_earlier_moment_on() {
    let (last, earlier) =
        (time(10), Timestamp::from_millis(time(10).as_millis() - WRONG_CLOCK_MILLIS).unwrap());
    let asked = |market: &mut Market, since| {
        let place = Some(Place::Trades(From::Number(11, Some(since))));
        assert_eq!(market.question(Stream::Trade, time(99)), place);
    };
    let mut silent = market(10);
    take(&mut silent, 14, 1);
    for since in [last, last, last, earlier] {
        asked(&mut silent, since);
        silent.fill(Page::default(), time(14), &mut Vec::new());
    }
    let next = Some(Place::Trades(From::Cursor(5)));
    silent.fill(Page { next, ..page(1..=9) }, time(14), &mut Vec::new());
    assert_eq!(silent.patience(), Duration::ZERO, "a page that goes on is followed at once");
    let mut doubted = market(10);
    take(&mut doubted, 14, 1);
    doubted.fill(page([13, 14]), time(14), &mut Vec::new());
    asked(&mut doubted, earlier);
    assert_eq!(doubted.fill(page(8..=14), time(14), &mut Vec::new()), (3, None));
}

#[test]
fn history_that_is_behind_is_asked_again_and_again_but_not_for_ever() {
    let mut market = market(10);
    take(&mut market, 12, 1);
    let mut waits = Vec::new();
    for _ in 1..MOST_EMPTY_ANSWERS {
        assert_eq!(market.fill(Page::default(), time(12), &mut Vec::new()), (0, None));
        waits.push(market.patience());
    }
    assert!(waits.is_sorted() && waits.iter().all(|wait| *wait <= LONGEST_WAIT), "{waits:?}");
    assert_eq!(market.fill(Page::default(), time(12), &mut Vec::new()).1, Some(Loss::NotHeld));
    assert_eq!(market.order.wanted(), None);
}

#[test]
fn a_market_that_is_silent_after_a_subscription_is_asked_about_once() {
    let mut market = market(10);
    let next = Some(Place::Trades(From::Number(11, Some(time(10)))));
    assert!(market.subscribed(1));
    assert_eq!(market.question(Stream::Trade, time(99)), next);
    assert_eq!(market.question(Stream::Trade, time(99)), None, "it was asked about");
    let mut acts = Vec::new();
    assert_eq!(market.fill(Page::default(), time(99), &mut acts), (0, None), "nothing was traded");
    assert_eq!((acts.len(), market.patience()), (0, DISORDER));

    assert!(market.subscribed(2));
    assert!(market.question(Stream::Trade, time(99)).is_some());
    assert_eq!(market.fill(page(9..=12), time(99), &mut acts), (2, None), "two were missed");
    assert_eq!((noticed(&acts), market.order.wanted()), (Some(Noticed::Restart), None));

    assert!(market.subscribed(3));
    take(&mut market, 13, 3);
    assert_eq!(market.question(Stream::Trade, time(99)), None, "it has told itself that nothing is missing");
}

#[test]
fn of_what_has_no_order_only_later_ones_are_sent() {
    let mut market = market(0);
    let mut fate = |event| market.take(record(event, Details::Price), time(1), 1, true, &mut Vec::new());
    let fates = [5, 5, 4, 6].map(|number| fate(Event::Ticker(number)));
    assert_eq!(fates, [Fate::Sent, Fate::Known, Fate::Known, Fate::Sent]);
}
