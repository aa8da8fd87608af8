//! A list of suites, rule by rule.

use std::fmt;

use super::suites::{Suite, TLS_1_3, all};

/// What is wrong with a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadRule {
    /// No suite or alias is called so.
    Unknown(String),
    /// A group that is not closed, or that something stands in which is no name.
    Group,
    /// An operator in a list with groups.
    Mixed,
    /// What cannot be read at all.
    Syntax,
}

impl fmt::Display for BadRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => write!(f, "{name:?} is not known to Envoy"),
            Self::Group => write!(f, "a group is written [NAME|NAME], and ends where it began"),
            Self::Mixed => write!(f, "an operator cannot follow a group"),
            Self::Syntax => write!(f, "expected NAME, [NAME|NAME], -NAME, +NAME or !NAME"),
        }
    }
}

/// What a rule does with its suites.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Add,
    Remove,
    /// For good.
    Kill,
    /// To the end of the list.
    Move,
    /// `@STRENGTH`.
    Sort,
}

/// What is left at the end of a list; what is wrong with it, and where.
pub(super) fn chosen(text: &str) -> Result<Vec<&'static Suite>, (BadRule, usize)> {
    let mut list = SuiteList {
        text,
        at: 0,
        in_group: false,
        has_group: false,
        chosen: Vec::new(),
        killed: Vec::new(),
    };
    // It stands for itself at the very start alone.
    if text.starts_with("DEFAULT") {
        list.apply(Operator::Add, &["ALL"]);
        list.at = "DEFAULT".len();
    }
    list.run().map_err(|reason| (reason, list.at))?;
    Ok(list.chosen)
}

struct SuiteList<'t> {
    text: &'t str,
    at: usize,
    in_group: bool,
    has_group: bool,
    chosen: Vec<&'static Suite>,
    killed: Vec<&'static Suite>,
}

impl<'t> SuiteList<'t> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn run(&mut self) -> Result<(), BadRule> {
        while let Some(byte) = self.peek() {
            if let Some(operator) = self.operator(byte)? {
                self.rule(operator)?;
            }
        }
        if self.in_group {
            Err(BadRule::Group)
        } else {
            Ok(())
        }
    }

    /// The operator of the rule that begins here; none if none does.
    fn operator(&mut self, byte: u8) -> Result<Option<Operator>, BadRule> {
        if self.in_group {
            return self.grouped(byte);
        }
        let operator = match byte {
            b'-' => Operator::Remove,
            b'+' => Operator::Move,
            b'!' => Operator::Kill,
            b'@' => Operator::Sort,
            b'[' => {
                (self.in_group, self.has_group) = (true, true);
                self.at += 1;
                return Ok(None);
            }
            b':' => {
                self.at += 1;
                return Ok(None);
            }
            _ => return Ok(Some(Operator::Add)),
        };
        if self.has_group {
            return Err(BadRule::Mixed);
        }
        self.at += 1;
        Ok(Some(operator))
    }

    fn grouped(&mut self, byte: u8) -> Result<Option<Operator>, BadRule> {
        match byte {
            b']' | b'|' => {
                self.in_group = byte != b']';
                self.at += 1;
                Ok(None)
            }
            byte if byte.is_ascii_alphanumeric() => Ok(Some(Operator::Add)),
            _ => Err(BadRule::Group),
        }
    }

    fn rule(&mut self, operator: Operator) -> Result<(), BadRule> {
        let start = self.at;
        let mut words = vec![self.word()?];
        if operator == Operator::Sort {
            return self.sort(&words, start);
        }
        while self.peek() == Some(b'+') {
            self.at += 1;
            words.push(self.word()?);
        }
        let is_name = |word: &&str| TLS_1_3.contains(word) || all().any(|suite| suite.is_called(word));
        let is_alias = |word: &&str| all().next().is_some_and(|suite| suite.is_of(word).is_some());
        // A name of one suite stands alone.
        let is_known = |word: &&str| is_alias(word) || (words.len() == 1 && is_name(word));
        if let Some(unknown) = words.iter().find(|word| !is_known(word)) {
            let unknown = (*unknown).to_owned();
            self.at = start;
            return Err(BadRule::Unknown(unknown));
        }
        self.apply(operator, &words);
        Ok(())
    }

    fn word(&mut self) -> Result<&'t str, BadRule> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let is_of_word = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._".contains(byte);
        let length = rest.bytes().take_while(|byte| is_of_word(byte)).count();
        if length == 0 {
            return Err(BadRule::Syntax);
        }
        self.at += length;
        Ok(rest.get(..length).unwrap_or_default())
    }

    /// What follows it up to the next colon is not looked at.
    fn sort(&mut self, words: &[&str], start: usize) -> Result<(), BadRule> {
        if words != ["STRENGTH"] {
            self.at = start;
            return Err(BadRule::Syntax);
        }
        let rest = self.text.get(self.at..).unwrap_or_default();
        self.at += rest.find(':').unwrap_or(rest.len());
        Ok(())
    }

    fn apply(&mut self, operator: Operator, words: &[&str]) {
        let exact = |suite: &Suite| matches!(words, [word] if suite.is_called(word));
        let is_of_all = |suite: &Suite| words.iter().all(|word| suite.is_of(word) == Some(true));
        let is_meant = |suite: &&'static Suite| match operator {
            Operator::Add => {
                exact(suite) || (is_of_all(suite) && (!suite.is_apart || words.contains(&"3DES")))
            }
            _ => exact(suite) || is_of_all(suite),
        };
        let meant: Vec<_> = all().filter(is_meant).collect();
        match operator {
            Operator::Add => {
                let new = meant.into_iter().filter(|suite| !self.killed.contains(suite));
                let new: Vec<_> = new.filter(|suite| !self.chosen.contains(suite)).collect();
                self.chosen.extend(new);
            }
            Operator::Remove | Operator::Kill => {
                self.chosen.retain(|suite| !meant.contains(suite));
                if operator == Operator::Kill {
                    self.killed.extend(meant);
                }
            }
            Operator::Move | Operator::Sort => {}
        }
    }
}
