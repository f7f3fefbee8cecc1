//! The symbols that are listed, and the price path and the tape of each. No I/O; the clock is an argument.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use pricepipe_core::Symbol;

use crate::{
    config::{Pace, Playback, SimConfig, TapePace, TapePlayback, TradeFlow},
    error::SimError,
    names::Pair,
    path::PricePath,
    tape::{Clockwork, Moment, Tape},
};

/// The most symbols that are listed because somebody asked for them.
const MAX_INVENTED: usize = 10_000;

/// What is listed, in order, and what it costs.
#[derive(Debug)]
pub(crate) struct Market {
    order: Vec<Symbol>,
    paths: HashMap<Symbol, (Arc<str>, PricePath)>,
    /// What other exchanges call the symbols.
    aliases: HashMap<String, Symbol>,
    /// Made when somebody first wants to know; a tape that is made later is the same.
    tapes: Vec<Tape>,
    tape_of: HashMap<Symbol, usize>,
    /// The symbols whose price is that of their tape.
    taped: HashSet<Symbol>,
    flow: TradeFlow,
    started_millis: i64,
    seed: u64,
    pace: Pace,
    may_invent: usize,
}

impl Market {
    pub(crate) fn new(config: &SimConfig, started_millis: i64) -> Result<Self, SimError> {
        check_pace("the random walk", config.pace)?;
        check_rate("trades", config.trades.per_second, true)?;
        let mut market = Market {
            order: Vec::new(),
            paths: HashMap::new(),
            aliases: HashMap::new(),
            tapes: Vec::new(),
            tape_of: HashMap::new(),
            taped: HashSet::new(),
            flow: config.trades.clone(),
            started_millis,
            seed: config.seed,
            pace: config.pace,
            may_invent: if config.any_symbol { MAX_INVENTED } else { 0 },
        };
        for symbol in &config.symbols {
            market.add(symbol)?;
        }
        market.replace_walks(&config.playbacks)?;
        market.play_tapes(&config.tapes)?;
        Ok(market)
    }

    fn play_tapes(&mut self, playbacks: &[TapePlayback]) -> Result<(), SimError> {
        for playback in playbacks {
            let symbol = &playback.symbol;
            match playback.pace {
                TapePace::PerSecond(rate) | TapePace::Speed(rate) => {
                    check_rate(symbol.as_str(), rate, false)?
                }
                TapePace::AsRead => {}
            }
            if self.tape_of.insert(symbol.clone(), self.tapes.len()).is_some() {
                return Err(SimError::DuplicateSymbol { symbol: symbol.clone() });
            }
            self.tapes.push(Tape::playback(playback));
            if !self.paths.contains_key(symbol) {
                self.add(symbol)?;
            }
            if !matches!(self.paths.get(symbol), Some((_, PricePath::Recording { .. }))) {
                self.taped.insert(symbol.clone());
            }
        }
        Ok(())
    }

    fn replace_walks(&mut self, playbacks: &[Playback]) -> Result<(), SimError> {
        let mut played: Vec<&Symbol> = Vec::new();
        for playback in playbacks {
            let symbol = &playback.symbol;
            check_pace(symbol.as_str(), playback.pace)?;
            if played.contains(&symbol) {
                return Err(SimError::DuplicateSymbol { symbol: symbol.clone() });
            }
            played.push(symbol);
            let path = PricePath::playback(playback);
            match self.paths.get_mut(symbol) {
                Some((_, walk)) => *walk = path,
                None => self.list(symbol, path)?,
            }
        }
        Ok(())
    }

    fn list(&mut self, symbol: &Symbol, path: PricePath) -> Result<(), SimError> {
        if self.paths.insert(symbol.clone(), (symbol.as_str().into(), path)).is_some() {
            return Err(SimError::DuplicateSymbol { symbol: symbol.clone() });
        }
        self.order.push(symbol.clone());
        let names = Pair::of(symbol).map(|pair| pair.aliases());
        // Of two listings of one market, such as BTCUSD and BTC-USD, the first one answers to its names.
        for name in names.into_iter().flatten() {
            self.aliases.entry(name).or_insert_with(|| symbol.clone());
        }
        Ok(())
    }

    /// Lists a symbol, which follows a random walk.
    pub(crate) fn add(&mut self, symbol: &Symbol) -> Result<(), SimError> {
        self.list(symbol, PricePath::walk(self.seed, symbol, self.pace))
    }

    /// Everything that is listed.
    pub(crate) fn symbols(&self) -> &[Symbol] {
        &self.order
    }

    /// True when the symbol is listed, if need be from now on.
    pub(crate) fn lists(&mut self, symbol: &Symbol) -> bool {
        if self.paths.contains_key(symbol) {
            return true;
        }
        if self.may_invent == 0 {
            return false;
        }
        self.may_invent -= 1;
        self.add(symbol).is_ok()
    }

    /// The symbol that Coinbase calls so.
    pub(crate) fn find_coinbase(&mut self, name: &str) -> Option<Symbol> {
        self.find(name).filter(|symbol| Pair::of(symbol).is_some_and(|pair| pair.coinbase() == name))
    }

    /// The symbol that Kraken calls so, in any of its ways.
    pub(crate) fn find_kraken(&mut self, name: &str) -> Option<Symbol> {
        if name.contains('-') { None } else { self.find(name) }
    }

    /// The symbol that another exchange calls so, if need be listed from now on.
    fn find(&mut self, name: &str) -> Option<Symbol> {
        if let Some(symbol) = self.aliases.get(name) {
            return Some(symbol.clone());
        }
        let symbol = Pair::divided(name)?.listing()?;
        self.lists(&symbol).then_some(symbol)
    }

    /// The symbol and the price to serve now. To call it is to serve it.
    pub(crate) fn next(&mut self, symbol: &Symbol, now: Moment) -> Option<(Arc<str>, Arc<str>)> {
        if self.follows_its_tape(symbol) {
            let tape = self.tape_of(symbol, now)?;
            return Some((tape.name().clone(), tape.price()?.to_string().into()));
        }
        let (name, path) = self.paths.get_mut(symbol)?;
        // The price that its tape would have. To make one for each symbol that is polled would take memory for nothing.
        let clockwork = Clockwork::new(self.seed, symbol, &self.flow).filter(|_| path.is_made_up());
        let price = clockwork.map(|clockwork| clockwork.price_at(now.millis).to_string().into());
        Some((name.clone(), price.unwrap_or_else(|| path.next(now.elapsed))))
    }

    /// True when a symbol's price is that of its last trade: one of the two would be wrong if they differed.
    fn follows_its_tape(&self, symbol: &Symbol) -> bool {
        let made_up = || self.paths.get(symbol).is_some_and(|(_, path)| path.is_made_up());
        self.taped.contains(symbol) || (self.flow.goes_on && self.tape_of.contains_key(symbol) && made_up())
    }

    /// Where the tape of a symbol is, if the symbol is listed.
    pub(crate) fn tape_place(&mut self, symbol: &Symbol) -> Option<usize> {
        if !self.tape_of.contains_key(symbol) {
            if !self.lists(symbol) {
                return None;
            }
            let tape = Tape::made_up(self.seed, symbol, &self.flow, self.started_millis);
            self.tape_of.insert(symbol.clone(), self.tapes.len());
            self.tapes.push(tape);
        }
        self.tape_of.get(symbol).copied()
    }

    /// The tape in a place.
    pub(crate) fn tape_at(&mut self, place: usize) -> &mut Tape {
        &mut self.tapes[place]
    }

    /// The tape of a symbol as it is now, if the symbol is listed.
    pub(crate) fn tape_of(&mut self, symbol: &Symbol, now: Moment) -> Option<&mut Tape> {
        let place = self.tape_place(symbol)?;
        let tape = self.tape_at(place);
        tape.advance(now);
        Some(tape)
    }

    /// The name of a listed symbol, to be shared.
    pub(crate) fn name(&self, symbol: &Symbol) -> Option<Arc<str>> {
        self.paths.get(symbol).map(|(name, _)| name.clone())
    }

    /// How many rows of a recording that is played per request have not been served yet.
    pub(crate) fn remaining(&self, symbol: &Symbol) -> Option<usize> {
        self.paths.get(symbol)?.1.remaining()
    }
}

fn check_pace(what: &str, pace: Pace) -> Result<(), SimError> {
    let fault = match pace {
        Pace::Speed(factor) if !(factor.is_finite() && factor > 0.0) => factor.to_string(),
        Pace::Tick(tick) if tick.is_zero() => format!("{tick:?}"),
        _ => return Ok(()),
    };
    Err(SimError::Pace { what: what.to_owned(), value: fault })
}

/// A number of rows a second, or a speed.
fn check_rate(what: &str, rate: f64, may_be_zero: bool) -> Result<(), SimError> {
    if rate.is_finite() && (rate > 0.0 || (may_be_zero && rate == 0.0)) {
        return Ok(());
    }
    Err(SimError::Pace { what: what.to_owned(), value: rate.to_string() })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::recording::Recording;

    const NOW: Moment = Moment { elapsed: Duration::ZERO, millis: 0 };

    fn symbol(text: &str) -> Symbol {
        text.parse().unwrap()
    }

    fn playback(name: &str, pace: Pace) -> Playback {
        let text = "id,time_ms,price,quantity,side\n1,5,0.00141342,1,buy\n";
        let recording = Recording::from_reader("test", text.as_bytes()).unwrap();
        Playback { pace, ..Playback::per_request(symbol(name), recording) }
    }

    #[test]
    fn a_playback_replaces_the_walk_of_its_symbol_or_lists_it() {
        let playbacks = vec![playback("XRPETH", Pace::PerRequest), playback("NEWETH", Pace::PerRequest)];
        let config = SimConfig { playbacks, ..SimConfig::default() };
        let mut market = Market::new(&config, 0).unwrap();
        for name in ["XRPETH", "NEWETH"] {
            let (_, price) = market.next(&symbol(name), NOW).unwrap();
            assert_eq!((&*price, market.remaining(&symbol(name))), ("0.00141342", Some(0)));
        }
        assert_eq!(market.symbols().len(), config.symbols.len() + 1);
        assert_eq!(market.remaining(&symbol("BTCUSDT")), None);
    }

    #[test]
    fn an_unknown_symbol_is_listed_only_when_any_symbol_is() {
        let mut strict = Market::new(&SimConfig::default(), 0).unwrap();
        assert!(!strict.lists(&symbol("FOOBAR")) && strict.lists(&symbol("BTCUSDT")));
        let mut open = Market::new(&SimConfig { any_symbol: true, ..SimConfig::default() }, 0).unwrap();
        assert!(open.lists(&symbol("FOOBAR")) && open.next(&symbol("FOOBAR"), NOW).is_some());
        for n in 0..2 * MAX_INVENTED {
            open.lists(&symbol(&format!("X{n}")));
        }
        assert_eq!(open.symbols().len(), SimConfig::default().symbols.len() + MAX_INVENTED);
    }

    #[test]
    fn what_cannot_be_played_is_refused_with_the_remedy() {
        let twice = SimConfig { symbols: vec![symbol("A"), symbol("A")], ..SimConfig::default() };
        let idle = SimConfig { pace: Pace::Tick(Duration::ZERO), ..SimConfig::default() };
        let playbacks = vec![playback("XRPETH", Pace::Speed(-1.0))];
        let backwards = SimConfig { playbacks, ..SimConfig::default() };
        for (config, message) in [
            (twice, "symbol A is listed twice; list it once"),
            (idle, "the pace of the random walk is 0ns; use a number above 0"),
            (backwards, "the pace of XRPETH is -1; use a number above 0"),
        ] {
            assert_eq!(Market::new(&config, 0).unwrap_err().to_string(), message);
        }
    }
}
