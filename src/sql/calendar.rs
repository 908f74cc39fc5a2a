//! Dates as people write them in SQL, and the ones behind them.
//!
//! Refuses every notation but `YYYY-MM-DD`: what `01/02/2024` means is a setting of the session.

/// A unit that times are cut to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Hour,
    Day,
    Month,
    Year,
}

/// The start of an hour of the proleptic Gregorian calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment {
    year: i32,
    month: u32,
    day: u32,
    hour: u32,
}

impl Moment {
    /// The first of January of a year of four digits.
    pub(super) fn year(year: i32) -> Option<Moment> {
        (1000..=9999).contains(&year).then_some(Moment { year, month: 1, day: 1, hour: 0 })
    }

    /// Reads `2024-01-05`, `2024-01-05 00:00` or `2024-01-05 13:00:00`; parts of an hour must be zero.
    pub(super) fn read(text: &str) -> Option<Moment> {
        let (date, time) = text.split_once([' ', 'T']).unwrap_or((text, "00"));
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        let [year, month, day] = date.split('-').collect::<Vec<_>>()[..] else { return None };
        if [year.len(), month.len(), day.len()] != [4, 2, 2] || ![year, month, day].iter().all(|s| digits(s))
        {
            return None;
        }
        let mut clock = time.split(':');
        let hour = clock.next().filter(|h| h.len() == 2 && digits(h))?.parse().ok()?;
        if !clock.all(|part| part == "00") {
            return None;
        }
        let read = Moment {
            hour,
            day: day.parse().ok()?,
            month: month.parse().ok()?,
            ..Moment::year(year.parse().ok()?)?
        };
        let exists = (1..=12).contains(&read.month) && (1..=read.days()).contains(&read.day) && hour < 24;
        exists.then_some(read)
    }

    /// Reads `2024`, `2024-01`, `2024-01-05` or `20240105` after the format of `to_char`.
    pub(super) fn read_as(format: &str, text: &str) -> Option<(Moment, Unit)> {
        let (full, unit) = match format {
            "YYYY" => (format!("{text}-01-01"), Unit::Year),
            "YYYY-MM" => (format!("{text}-01"), Unit::Month),
            "YYYY-MM-DD" => (text.to_owned(), Unit::Day),
            "YYYYMMDD" if text.len() == 8 && text.is_ascii() => {
                (format!("{}-{}-{}", &text[..4], &text[4..6], &text[6..]), Unit::Day)
            }
            _ => return None,
        };
        Some((Moment::read(&full)?, unit)).filter(|_| full.len() == 10)
    }

    /// A unit starts here.
    pub(super) fn starts(self, unit: Unit) -> bool {
        self == match unit {
            Unit::Hour => self,
            Unit::Day => Moment { hour: 0, ..self },
            Unit::Month => Moment { hour: 0, day: 1, ..self },
            Unit::Year => Moment { hour: 0, day: 1, month: 1, ..self },
        }
    }

    /// The moment one unit later.
    pub(super) fn next(self, unit: Unit) -> Moment {
        match unit {
            Unit::Hour if self.hour < 23 => Moment { hour: self.hour + 1, ..self },
            Unit::Hour => Moment { hour: 0, ..self.next(Unit::Day) },
            Unit::Day if self.day < self.days() => Moment { day: self.day + 1, ..self },
            Unit::Day => Moment { day: 1, ..self.next(Unit::Month) },
            Unit::Month if self.month < 12 => Moment { month: self.month + 1, ..self },
            Unit::Month => Moment { month: 1, ..self.next(Unit::Year) },
            Unit::Year => Moment { year: self.year + 1, ..self },
        }
    }

    fn days(self) -> u32 {
        let leap = self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0);
        match self.month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        }
    }

    /// `'2024-01-05'`, with the hour where there is one.
    pub(super) fn sql(self) -> String {
        let date = format!("{:04}-{:02}-{:02}", self.year, self.month, self.day);
        if self.hour == 0 { format!("'{date}'") } else { format!("'{date} {:02}:00'", self.hour) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_one_is_behind_every_edge() {
        for (text, unit, next) in [
            ("2024-01-05", Unit::Day, "'2024-01-06'"),
            ("2024-02-28", Unit::Day, "'2024-02-29'"),
            ("2023-02-28", Unit::Day, "'2023-03-01'"),
            ("1900-02-28", Unit::Day, "'1900-03-01'"),
            ("2000-02-28", Unit::Day, "'2000-02-29'"),
            ("2023-04-30", Unit::Day, "'2023-05-01'"),
            ("2023-12-31 23:00:00", Unit::Hour, "'2024-01-01'"),
            ("2023-12-31 22:00", Unit::Hour, "'2023-12-31 23:00'"),
            ("2023-12-01", Unit::Month, "'2024-01-01'"),
            ("2023-11-01", Unit::Month, "'2023-12-01'"),
            ("2023-01-01", Unit::Year, "'2024-01-01'"),
        ] {
            let moment = Moment::read(text).unwrap_or_else(|| panic!("{text} is a moment"));
            assert!(moment.starts(unit), "{text}");
            assert_eq!(moment.next(unit).sql(), next, "{text}");
        }
        assert!(!Moment::read("2024-01-05").is_some_and(|m| m.starts(Unit::Month)));
        assert!(!Moment::read("2024-02-01").is_some_and(|m| m.starts(Unit::Year)));
        assert!(!Moment::read("2024-02-01 05:00").is_some_and(|m| m.starts(Unit::Day)));
        for text in [
            "2024-1-5",
            "05.01.2024",
            "2023-02-29",
            "2024-13-01",
            "today",
            "2024-01-05 10:30",
            "2024-01-05 24:00",
        ] {
            assert_eq!(Moment::read(text), None, "{text}");
        }
        assert_eq!(
            Moment::read_as("YYYY-MM", "2024-02").map(|(m, _)| m.sql()).as_deref(),
            Some("'2024-02-01'")
        );
        assert_eq!(Moment::read_as("YYYY-MM", "2024-02-01 00"), None);
        assert_eq!(Moment::read_as("DD.MM.YYYY", "01.02.2024"), None);
    }
}
