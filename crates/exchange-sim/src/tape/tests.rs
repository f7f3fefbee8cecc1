use super::*;
use crate::recording::Recording;

const TRADES: &str = "id,time_ms,price,quantity,side\n\
    7,1000,0.10,1.50,buy\n8,1000,0.20,1,sell\n9,3000,0.30,1,buy\n10,6000,0.40,1,buy\n";

fn at(millis: u64) -> Moment {
    Moment { elapsed: Duration::from_millis(millis), millis: 1_700_000_000_000 + millis as i64 }
}

fn symbol() -> Symbol {
    "BTCUSDT".parse().unwrap()
}

fn recorded(pace: TapePace) -> TapePlayback {
    TapePlayback::new(symbol(), Recording::from_reader("test", TRADES.as_bytes()).unwrap(), pace)
}

fn ids(tape: &Tape) -> Vec<u64> {
    tape.trades().iter().map(|trade| trade.id).collect()
}

#[test]
fn a_recording_waits_for_a_subscriber_and_then_runs_whether_somebody_listens_or_not() {
    let mut tape = Tape::playback(&recorded(TapePace::PerSecond(10.0)));
    tape.advance(at(5_000));
    assert!(ids(&tape).is_empty());
    assert_eq!(tape.subscribe(at(5_000)), 0);
    tape.advance(at(5_250));
    assert_eq!(ids(&tape), [7, 8]);
    tape.advance(at(60_000));
    assert_eq!(ids(&tape), [7, 8, 9, 10]);
    assert_eq!(tape.from(1).unwrap().map(|trade| trade.id).collect::<Vec<_>>(), [8, 9, 10]);
    assert_eq!(tape.trades()[0].quantity.to_string(), "1.50");
}

#[test]
fn a_recording_keeps_its_own_times_or_the_speed_of_its_reader() {
    let mut own = Tape::playback(&recorded(TapePace::Speed(2.0)));
    own.subscribe(at(0));
    for (millis, expected) in [(0, 2), (999, 2), (1_000, 3), (2_500, 4)] {
        own.advance(at(millis));
        assert_eq!(ids(&own).len(), expected, "{millis}");
    }
    let mut read = Tape::playback(&recorded(TapePace::AsRead));
    assert!(!read.pull(at(0)));
    assert!(ids(&read).is_empty(), "nobody has subscribed");
    read.subscribe(at(0));
    read.advance(at(60_000));
    assert!(ids(&read).is_empty(), "nobody has read");
    assert!(read.pull(at(60_000)));
    assert_eq!(ids(&read), [7, 8, 9, 10]);
    assert!(!read.pull(at(60_000)), "it has ended");
}

#[test]
fn lost_trades_are_on_no_tape_and_the_past_is() {
    let mut tape = Tape::playback(&TapePlayback { past: 3, lost: vec![8..=8], ..recorded(TapePace::AsRead) });
    tape.advance(at(0));
    assert_eq!(ids(&tape), [7, 9]);
    tape.lose(1);
    assert_eq!(tape.subscribe(at(0)), 2);
    tape.pull(at(0));
    assert_eq!((ids(&tape), tape.end()), (vec![7, 9], 2));
}

#[test]
fn trades_of_one_millisecond_are_told_apart_by_the_nanosecond() {
    let mut tape = Tape::playback(&TapePlayback { past: 4, ..recorded(TapePace::AsRead) });
    tape.advance(at(0));
    let nanos: Vec<_> = tape.trades().iter().map(|trade| trade.time_nanos).collect();
    assert_eq!(nanos[..2], [1_000_000_000, 1_000_000_001]);
    assert_eq!(tape.trades()[1].time_millis(), 1_000);
}

#[test]
fn made_up_trades_depend_on_the_seed_and_not_on_when_they_are_looked_at() {
    let flow = TradeFlow { per_second: 100.0, past: 10, history: 50, ..TradeFlow::default() };
    let started = 1_700_000_000_000;
    let mut often = Tape::made_up(1, &symbol(), &flow, started);
    (0..=900).for_each(|millis| often.advance(at(millis)));
    let mut once = Tape::made_up(1, &symbol(), &flow, started);
    once.advance(at(900));
    assert_eq!(often.trades(), once.trades());
    assert_eq!((once.trades().len(), once.end()), (50, 100));
    assert!(once.trades().iter().zip(once.trades().iter().skip(1)).all(|(a, b)| b.id == a.id + 1));
    let newest = once.last().unwrap();
    assert_eq!(newest.time_millis(), started + 900);
    assert_ne!(once.aggregate_id(newest), newest.id);
    assert_eq!(once.trade_id(once.aggregate_id(newest)), newest.id);
    assert!(once.from(50).is_some() && once.from(49).is_none(), "history forgets");
}

#[test]
fn a_week_of_silence_is_caught_up_at_once() {
    let flow = TradeFlow { per_second: 50_000.0, past: 0, history: 100, ..TradeFlow::default() };
    let mut tape = Tape::made_up(1, &symbol(), &flow, 0);
    tape.advance(at(7 * 24 * 3_600_000));
    assert_eq!(tape.last().unwrap().id, tape.first_id + 50_000 * 7 * 24 * 3_600 - 1);
    assert_eq!(tape.trades().len(), 100);
}

#[test]
fn an_exchange_that_is_started_again_goes_on_and_knows_what_was_between() {
    let flow =
        TradeFlow { per_second: 3.0, past: 900, history: 2_000, goes_on: true, ..TradeFlow::default() };
    let tape = |started: i64, elapsed: u64| {
        let mut tape = Tape::made_up(1, &symbol(), &flow, started);
        let millis = started + elapsed as i64;
        tape.advance(Moment { elapsed: Duration::from_millis(elapsed), millis });
        (tape, millis)
    };
    let (first, stopped) = tape(1_700_000_000_123, 60_000);
    let (second, _) = tape(1_700_000_180_456, 20_000);
    let (oldest, newest) = (ids(&second)[0], *ids(&first).last().unwrap());
    assert!(oldest < newest, "the second knows what the first told");
    let shared = |tape: &Tape| -> Vec<Trade> {
        tape.trades().iter().filter(|trade| (oldest..=newest).contains(&trade.id)).copied().collect()
    };
    assert_eq!(shared(&first), shared(&second));
    assert!(ids(&second).windows(2).all(|pair| pair[0] + 1 == pair[1]));
    assert_eq!(
        first.aggregate_id(first.last().unwrap()),
        second.aggregate_id(&shared(&second).pop().unwrap())
    );
    // Neither late nor early: the next one is due within a third of a second.
    let waited = stopped - first.last().unwrap().time_millis();
    assert!((0..=334).contains(&waited), "{waited}");
    let clockwork = Clockwork::new(1, &symbol(), &flow).unwrap();
    assert_eq!(first.price(), Some(clockwork.price_at(stopped)));
}

#[test]
fn a_clock_without_trades_makes_none() {
    let flow = TradeFlow { per_second: 0.0, past: 3, goes_on: true, ..TradeFlow::default() };
    let mut tape = Tape::made_up(1, &symbol(), &flow, 1_700_000_000_000);
    tape.advance(at(60_000));
    assert_eq!(tape.trades().len(), 3);
}
