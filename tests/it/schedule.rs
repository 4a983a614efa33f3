//! Schedules: what a cron line means, slot by slot, above all where the clock changes.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use jiff::civil::DateTime;
use proptest::prelude::*;
use stepwell::plan::{Catchup, Overlap, Schedule};
use stepwell::schedule::{
    ClockChange, Cron, Decision, SLOTS_MAX, SkipReason, Slot, Timetable, Zone, due, next_after,
    slots,
};
use stepwell::time::Timestamp;

fn cron(text: &str) -> Cron {
    Cron::parse(text).unwrap_or_else(|error| panic!("{text}: {error} ({})", error.help))
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The next slots as lines: by the wall, and what the change of the clock did.
fn lines(text: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
    let (cron, zone) = (cron(text), Zone::parse(zone).unwrap());
    slots(&cron, &zone, at(after))
        .take(count)
        .map(|slot| {
            let change = match slot.change {
                None => String::new(),
                Some(ClockChange::Moved { wanted }) => format!(" for {}", wanted.strftime("%H:%M")),
                Some(ClockChange::First) => " first".to_owned(),
                Some(ClockChange::Second) => " second".to_owned(),
            };
            let shown = zone.show(slot.at).replace(":00-", "-").replace(":00+", "+");
            format!("{shown}{change}")
        })
        .collect()
}

#[test]
fn a_line_is_described_in_words() {
    for (text, words) in [
        ("30 2 * * MON-FRI", "at 02:30 from Monday to Friday"),
        ("* * * * *", "every minute"),
        ("*/1 * * * *", "every minute"),
        ("*/15 * * * *", "every 15 minutes"),
        ("*/45 * * * *", "at minutes 0 and 45 of every hour"),
        ("0 * * * *", "every hour"),
        ("5 * * * *", "at minute 5 of every hour"),
        ("0 0 * * *", "at 00:00 every day"),
        ("0 6,18 * * *", "at 06:00 and 18:00 every day"),
        ("0 */2 * * *", "every 2 hours from 00:00 every day"),
        (
            "*/15 9-17 * * 1-5",
            "every 15 minutes from 09:00 to 17:45 from Monday to Friday",
        ),
        ("0 9-17 * * *", "every hour from 09:00 to 17:00 every day"),
        ("0 0 1 * *", "at 00:00 on day 1 of the month"),
        (
            "0 0 1,15 jan,JUL *",
            "at 00:00 on days 1 and 15 of the month in January and July",
        ),
        ("0 0 L * *", "at 00:00 on the last day of the month"),
        ("0 0 1-7 * *", "at 00:00 on days 1 to 7 of the month"),
        (
            "0 0 13 * FRI",
            "at 00:00 on day 13 of the month or on Friday",
        ),
        (
            "0 12 * * FRI#2",
            "at 12:00 on the second Friday of the month",
        ),
        ("0 12 * * FRIL", "at 12:00 on the last Friday of the month"),
        ("0 12 * * 0", "at 12:00 on Sunday"),
        ("0 12 * * 7", "at 12:00 on Sunday"),
        ("0 12 * * SAT-SUN", "at 12:00 from Saturday to Sunday"),
        (
            "0 12 * * */2",
            "at 12:00 on Sunday, Tuesday, Thursday and Saturday",
        ),
        ("0 12 * MAR-MAY *", "at 12:00 every day from March to May"),
        (
            "10 1,3 */10 * *",
            "at 01:10 and 03:10 on days 1, 11, 21 and 31 of the month",
        ),
        (
            "7,9 1-23/3 * * *",
            "at minutes 7 and 9 of hours 1, 4, 7, 10, 13, 16, 19 and 22 every day",
        ),
    ] {
        assert_eq!(cron(text).describe(), words, "{text}");
    }
}

#[test]
fn a_line_that_is_none_says_what_to_write() {
    for (text, message, help) in [
        ("", "has five fields, this one has 0", "30 2 * * MON-FRI"),
        ("0 30 2 * * *", "this one has 6", "minute, hour"),
        ("@daily", "`@daily` is not a cron line", "write `0 0 * * *`"),
        ("60 * * * *", "`60` can't be the minute", "0 to 59"),
        ("MON * * * *", "`MON` can't be the minute", "0 to 59"),
        ("0 24 * * *", "`24` can't be the hour", "0 to 23"),
        ("0 0 0 * *", "`0` can't be the day of the month", "1 to 31"),
        ("0 0 * 13 *", "`13` can't be the month", "JAN to DEC"),
        (
            "0 0 * * 8",
            "`8` can't be the day of the week",
            "SUN to SAT",
        ),
        ("0 0 * * MONDAY", "`MONDAY` can't be", "SUN to SAT"),
        ("*/90 * * * *", "`*/90` can't be the minute", "from 1 to 59"),
        ("*/0 * * * *", "`*/0` can't be", "from 1 to 59"),
        ("5/10 * * * *", "`5/10` can't be", "`*/10` or `0-59/10`"),
        ("1,,2 * * * *", "`,` can't be", "nothing beside it"),
        ("*,5 * * * *", "`*,5` can't be", "stands alone"),
        ("0 22-2 * * *", "`22-2` can't be the hour", "`22-23,0-2`"),
        ("0 0 15W * *", "`15W` can't be", "not known here"),
        ("0 0 ? * *", "`?` can't be", "not known here"),
        ("0 0 * * FRI#6", "`FRI#6` can't be", "1 to 5"),
        ("+1 * * * *", "`+1` can't be", "not known here"),
        (
            "0 0 * * \u{0661}",
            "can't be the day of the week",
            "SUN to SAT",
        ),
        (&"0 ".repeat(200), "too long", "256 bytes"),
    ] {
        let error = Cron::parse(text).expect_err(text);
        assert!(error.message.contains(message), "{text}: {}", error.message);
        assert!(error.help.contains(help), "{text}: {}", error.help);
    }
}

#[test]
fn a_zone_that_is_none_says_which_is_meant() {
    assert_eq!(
        Zone::parse("europe/berlin").unwrap().name(),
        "Europe/Berlin"
    );
    for (name, help) in [
        ("Europe/Berlim", "did you mean `Europe/Berlin`?"),
        ("los angeles", "did you mean `America/Los_Angeles`?"),
        ("PST", "IANA"),
        ("+02:00", "IANA"),
        ("", "IANA"),
        ("../../etc/passwd", "IANA"),
    ] {
        let error = Zone::parse(name).expect_err(name);
        assert!(error.help.contains(help), "{name}: {}", error.help);
    }
}

#[test]
fn a_fixed_time_in_the_gap_comes_once_at_the_first_instant_after_it() {
    assert_eq!(
        lines(
            "30 2 * * *",
            "America/Los_Angeles",
            "2026-03-07T00:00:00Z",
            3
        ),
        [
            "2026-03-07T02:30-08:00",
            "2026-03-08T03:00-07:00 for 02:30",
            "2026-03-09T02:30-07:00"
        ]
    );
    // Several times in the gap and one just behind it: one slot.
    assert_eq!(
        lines("0,30 2,3 * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", 3),
        [
            "2026-03-29T03:00+02:00 for 02:00",
            "2026-03-29T03:30+02:00",
            "2026-03-30T02:00+02:00"
        ]
    );
    assert_eq!(
        lines(
            "15 2 * * *",
            "Australia/Lord_Howe",
            "2026-10-03T00:00:00Z",
            2
        ),
        ["2026-10-04T02:30+11:00 for 02:15", "2026-10-05T02:15+11:00"]
    );
    // The gap begins with its first minute and ends before its last.
    assert_eq!(
        lines(
            "0 2 * * *",
            "America/Los_Angeles",
            "2026-03-08T09:00:00Z",
            1
        ),
        ["2026-03-08T03:00-07:00 for 02:00"]
    );
    assert_eq!(
        lines(
            "0 3 * * *",
            "America/Los_Angeles",
            "2026-03-08T09:00:00Z",
            1
        ),
        ["2026-03-08T03:00-07:00"]
    );
}

#[test]
fn a_fixed_time_in_the_doubled_hour_comes_at_the_first_of_the_two() {
    assert_eq!(
        lines(
            "30 1 * * *",
            "America/Los_Angeles",
            "2026-11-01T00:00:00Z",
            2
        ),
        ["2026-11-01T01:30-07:00 first", "2026-11-02T01:30-08:00"]
    );
    // Asked between the two.
    assert_eq!(
        lines(
            "30 1 * * *",
            "America/Los_Angeles",
            "2026-11-01T08:45:00Z",
            1
        ),
        ["2026-11-02T01:30-08:00"]
    );
    assert_eq!(
        lines("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2),
        ["2026-10-25T02:30+02:00 first", "2026-10-26T02:30+01:00"]
    );
    assert_eq!(
        lines(
            "45 1 * * *",
            "Australia/Lord_Howe",
            "2026-04-04T00:00:00Z",
            2
        ),
        ["2026-04-05T01:45+11:00 first", "2026-04-06T01:45+10:30"]
    );
}

#[test]
fn an_interval_goes_by_the_time_that_passes() {
    for (zone, after) in [
        ("America/Los_Angeles", "2026-03-08T08:00:00Z"),
        ("America/Los_Angeles", "2026-11-01T07:00:00Z"),
        ("Europe/Berlin", "2026-03-28T23:00:00Z"),
        ("Europe/Berlin", "2026-10-24T22:00:00Z"),
        ("Australia/Lord_Howe", "2026-04-04T12:00:00Z"),
        ("Australia/Lord_Howe", "2026-10-03T12:00:00Z"),
        ("Pacific/Apia", "2011-12-30T06:00:00Z"),
        ("Asia/Kolkata", "2026-01-01T00:00:00Z"),
        ("UTC", "2026-01-01T00:00:00Z"),
    ] {
        let (cron, zone) = (cron("*/15 * * * *"), Zone::parse(zone).unwrap());
        let found: Vec<i64> = slots(&cron, &zone, at(after))
            .take(40)
            .map(|slot| slot.at.as_micros())
            .collect();
        for pair in found.windows(2) {
            assert_eq!(
                pair[1] - pair[0],
                15 * 60 * 1_000_000,
                "{zone} after {after}"
            );
        }
    }
    assert_eq!(
        lines(
            "30 * * * *",
            "America/Los_Angeles",
            "2026-11-01T08:00:00Z",
            3
        ),
        [
            "2026-11-01T01:30-07:00 first",
            "2026-11-01T01:30-08:00 second",
            "2026-11-01T02:30-08:00"
        ]
    );
    assert_eq!(
        lines(
            "30 * * * *",
            "America/Los_Angeles",
            "2026-03-08T09:00:00Z",
            2
        ),
        ["2026-03-08T01:30-08:00", "2026-03-08T03:30-07:00"]
    );
    // An interval by its hours, however it is written; named hours are fixed times.
    assert!(cron("*/15 0-23 * * *").is_interval() && cron("0 */1 * * *").is_interval());
    assert!(!cron("0 */2 * * *").is_interval() && !cron("*/15 9-17 * * *").is_interval());
    assert_eq!(
        lines("0 */2 * * *", "Europe/Berlin", "2026-03-28T22:30:00Z", 3),
        [
            "2026-03-29T00:00+01:00",
            "2026-03-29T03:00+02:00 for 02:00",
            "2026-03-29T04:00+02:00"
        ]
    );
}

#[test]
fn a_day_that_a_zone_leaves_out_comes_at_its_end() {
    // Samoa went from 29 to 31 December 2011.
    assert_eq!(
        lines("30 2 * * *", "Pacific/Apia", "2011-12-29T00:00:00Z", 3),
        [
            "2011-12-29T02:30-10:00",
            "2011-12-31T00:00+14:00 for 02:30",
            "2011-12-31T02:30+14:00"
        ]
    );
    assert_eq!(
        lines("0 * * * *", "Pacific/Apia", "2011-12-30T08:30:00Z", 2),
        ["2011-12-29T23:00-10:00", "2011-12-31T00:00+14:00"]
    );
}

#[test]
fn zones_without_changes_and_calendar_rules() {
    assert_eq!(
        lines("0 9 * * MON", "Asia/Kolkata", "2026-11-22T00:00:00Z", 2),
        ["2026-11-23T09:00+05:30", "2026-11-30T09:00+05:30"]
    );
    assert_eq!(
        lines("0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z", 1),
        ["2104-02-29T00:00+00:00"]
    );
    // The rarest: a fifth Monday of February, over a century that begins without a leap day.
    assert_eq!(
        lines("0 0 * 2 MON#5", "UTC", "2072-03-01T00:00:00Z", 1),
        ["2112-02-29T00:00+00:00"]
    );
    assert_eq!(
        lines("0 0 L * *", "UTC", "2028-02-01T00:00:00Z", 2),
        ["2028-02-29T00:00+00:00", "2028-03-31T00:00+00:00"]
    );
    // Either day is enough when both are given, as in every cron.
    assert_eq!(
        lines("0 0 13 * FRI", "UTC", "2026-11-07T00:00:00Z", 3),
        [
            "2026-11-13T00:00+00:00",
            "2026-11-20T00:00+00:00",
            "2026-11-27T00:00+00:00"
        ]
    );
    assert_eq!(
        lines("0 0 * * 7", "UTC", "2026-11-17T00:00:00Z", 1),
        lines("0 0 * * 0", "UTC", "2026-11-17T00:00:00Z", 1)
    );
    // A slot is after, never at.
    assert_eq!(
        lines("0 0 * * *", "UTC", "2026-11-22T00:00:00Z", 1),
        ["2026-11-23T00:00+00:00"]
    );
    assert_eq!(
        lines("0 0 * * *", "UTC", "2026-11-21T23:59:59.999999Z", 1),
        ["2026-11-22T00:00+00:00"]
    );
}

#[test]
fn a_pattern_that_never_comes_ends() {
    for text in ["0 0 30 2 *", "0 0 31 4,6,9,11 *"] {
        for zone in ["UTC", "America/Los_Angeles", "Africa/Casablanca"] {
            let zone = Zone::parse(zone).unwrap();
            assert_eq!(
                next_after(&cron(text), &zone, at("2026-01-01T00:00:00Z")),
                None
            );
        }
    }
    for edge in [i64::MIN, i64::MAX, -62_135_596_800_000_000] {
        let zone = Zone::parse("America/Los_Angeles").unwrap();
        let _ = next_after(&cron("30 2 * * *"), &zone, Timestamp::from_micros(edge));
    }
    assert_eq!(
        next_after(
            &cron("* * * * *"),
            &Zone::utc(),
            Timestamp::from_micros(i64::MAX)
        )
        .map(|slot| slot.at > Timestamp::from_micros(i64::MAX)),
        None
    );
}

// ---- against a slow scan ----

const SCAN_HOURS: i64 = 72;

/// Minute by minute through the time that passes, with the library's own idea of a match and nothing of ours.
fn scan(text: &str, zone: &str, after: Timestamp, hours: i64) -> BTreeMap<i64, bool> {
    let pattern: croner::Cron = text.parse().unwrap();
    let interval = (0..24).all(|hour| pattern.pattern.hour_match(hour).unwrap());
    let zone = jiff::tz::TimeZone::get(zone).unwrap();
    let matches = |civil: DateTime| pattern.is_time_matching(&civil).unwrap();
    let start = jiff::Timestamp::from_microsecond(after.as_micros()).unwrap();
    let before = start - jiff::SignedDuration::from_hours(30);
    let mut seen: HashSet<DateTime> = HashSet::new();
    let mut found = BTreeMap::new();
    let mut previous: Option<DateTime> = None;
    for minute in 1..=(30 + hours) * 60 {
        let instant = before + jiff::SignedDuration::from_mins(minute);
        let civil = zone.to_datetime(instant);
        let again = !seen.insert(civil);
        let mut slot = matches(civil) && (interval || !again);
        let mut moved = false;
        // What the clock has jumped over since the last minute.
        let mut skipped = previous.map_or(civil, |previous| {
            previous + jiff::SignedDuration::from_mins(1)
        });
        while skipped < civil {
            moved |= !interval && matches(skipped);
            skipped += jiff::SignedDuration::from_mins(1);
        }
        slot |= moved;
        if slot && instant > start {
            found.insert(instant.as_microsecond(), moved);
        }
        previous = Some(civil);
    }
    found
}

const PLACES: [(&str, &str); 14] = [
    ("America/Los_Angeles", "2026-03-07T12:00:00Z"),
    ("America/Los_Angeles", "2026-10-31T12:00:00Z"),
    ("Europe/Berlin", "2026-03-28T12:00:00Z"),
    ("Europe/Berlin", "2026-10-24T12:00:00Z"),
    ("Australia/Lord_Howe", "2026-04-04T00:00:00Z"),
    ("Australia/Lord_Howe", "2026-10-03T00:00:00Z"),
    ("Pacific/Apia", "2011-12-29T12:00:00Z"),
    ("Asia/Kolkata", "2026-06-30T00:00:00Z"),
    ("UTC", "2028-02-28T00:00:00Z"),
    // Changes at midnight: the gap and the doubled hour reach into another day.
    ("America/Havana", "2026-03-07T12:00:00Z"),
    ("America/Havana", "2026-10-31T12:00:00Z"),
    ("America/Sao_Paulo", "2018-02-17T12:00:00Z"),
    ("Africa/Cairo", "2026-04-23T12:00:00Z"),
    ("Africa/Casablanca", "2026-02-14T12:00:00Z"),
];

fn field(min: u8, max: u8) -> impl Strategy<Value = String> {
    prop_oneof![
        3 => Just("*".to_owned()),
        3 => (min..=max).prop_map(|value| value.to_string()),
        2 => (min..=max, min..=max).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
        2 => (2..=max / 2 + 1).prop_map(|step| format!("*/{step}")),
        2 => prop::collection::vec(min..=max, 1..4).prop_map(|values| {
            values.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
        }),
    ]
}

fn line() -> impl Strategy<Value = String> {
    let hour = prop_oneof![2 => field(0, 23), 3 => field(0, 3)];
    let day = prop_oneof![4 => Just("*".to_owned()), 1 => field(1, 31), 1 => Just("L".to_owned())];
    let weekday = prop_oneof![
        4 => Just("*".to_owned()),
        2 => field(0, 7),
        1 => Just("SUN#1".to_owned()),
        1 => Just("FRIL".to_owned())
    ];
    (field(0, 59), hour, day, weekday)
        .prop_map(|(minute, hour, day, weekday)| format!("{minute} {hour} {day} * {weekday}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_slot_is_one_of_the_slow_scan_and_none_is_left_out(
        text in line(),
        place in 0..PLACES.len(),
        minutes in 0_u64..36 * 60,
    ) {
        let (name, start) = PLACES[place];
        let after = at(start).plus(Duration::from_secs(minutes * 60));
        let (cron, zone) = (cron(&text), Zone::parse(name).unwrap());
        let end = after.plus(Duration::from_secs(SCAN_HOURS.unsigned_abs() * 3_600));
        let expected: Vec<(i64, bool)> = scan(&text, name, after, SCAN_HOURS).into_iter().collect();
        let found: Vec<(i64, bool)> = slots(&cron, &zone, after)
            .take_while(|slot| slot.at <= end)
            .map(|slot| (slot.at.as_micros(), matches!(slot.change, Some(ClockChange::Moved { .. }))))
            .collect();
        prop_assert_eq!(found, expected, "{} in {} after {}", text, name, after);
    }

    #[test]
    fn slots_go_forward_match_the_wall_and_are_never_the_same_twice(text in line(), place in 0..PLACES.len()) {
        let (name, start) = PLACES[place];
        let (cron, zone) = (cron(&text), Zone::parse(name).unwrap());
        let pattern: croner::Cron = text.parse().unwrap();
        let rules = jiff::tz::TimeZone::get(name).unwrap();
        let mut last = at(start);
        let mut walls = HashSet::new();
        for slot in slots(&cron, &zone, at(start)).take(60) {
            prop_assert!(slot.at > last, "{text} in {name}");
            last = slot.at;
            let wall = rules.to_datetime(jiff::Timestamp::from_microsecond(slot.at.as_micros()).unwrap());
            let wanted = match slot.change {
                Some(ClockChange::Moved { wanted }) => {
                    prop_assert!(wanted < wall);
                    wanted
                }
                Some(ClockChange::First | ClockChange::Second) | None => wall,
            };
            prop_assert!(pattern.is_time_matching(&wanted).unwrap(), "{text} in {name}: {wanted}");
            if !cron.is_interval() {
                prop_assert!(walls.insert(wall), "{text} in {name}: {wall} twice");
            }
        }
    }

    #[test]
    fn any_text_is_read_or_refused_with_help(text in "[-*/,0-9A-Za-z#?+ @]{0,24}") {
        match Cron::parse(&text) {
            Ok(cron) => {
                prop_assert!(!cron.describe().contains("  "));
                let _ = next_after(&cron, &Zone::utc(), at("2026-01-01T00:00:00Z"));
            }
            Err(error) => prop_assert!(!error.message.is_empty() && !error.help.is_empty()),
        }
    }
}

#[test]
fn the_library_alone_loses_what_ours_moves() {
    // The reason of docs/adr/010-croner.md: should this fail after an update, read that page again.
    let pattern: croner::Cron = "0,30 2 * * *".parse().unwrap();
    let from: jiff::Zoned = "2026-03-07T12:00:00[America/Los_Angeles]".parse().unwrap();
    let next = pattern.find_next_occurrence(&from, false).unwrap();
    assert_eq!(
        next.to_string(),
        "2026-03-09T02:00:00-07:00[America/Los_Angeles]"
    );
}

// ---- what is due ----

fn timetable(cron: &str, catchup: Catchup, window: Option<u64>, jitter: Option<u64>) -> Timetable {
    let schedule = Schedule {
        id: "nightly".to_owned(),
        cron: cron.to_owned(),
        timezone: "UTC".to_owned(),
        catchup,
        catchup_window: window.map(Duration::from_secs),
        overlap: Overlap::default(),
        jitter: jitter.map(Duration::from_secs),
        with: indexmap::IndexMap::new(),
    };
    Timetable::new("study", &schedule).unwrap()
}

fn told(decisions: &[Decision]) -> Vec<String> {
    let hour = |slot: &Slot| slot.at.to_string()[11..16].to_owned();
    decisions
        .iter()
        .map(|decision| match decision {
            Decision::Start(slot) => format!("start {}", hour(slot)),
            Decision::Skip(skipped, reason) => format!(
                "skip {}x {}-{} {reason:?}",
                skipped.count,
                hour(&skipped.first),
                hour(&skipped.last)
            ),
        })
        .collect()
}

#[test]
fn rule_18_missed_slots_are_caught_up_as_the_schedule_says() {
    let (since, now) = (at("2026-11-22T00:00:00Z"), at("2026-11-22T05:20:00Z"));
    let decide = |catchup, window| {
        told(&due(
            &timetable("0 * * * *", catchup, window, None),
            since,
            now,
        ))
    };
    assert_eq!(decide(Catchup::None, None), ["skip 5x 01:00-05:00 Missed"]);
    assert_eq!(
        decide(Catchup::Latest, None),
        ["skip 4x 01:00-04:00 Superseded", "start 05:00"]
    );
    assert_eq!(
        decide(Catchup::All, None),
        [
            "start 01:00",
            "start 02:00",
            "start 03:00",
            "start 04:00",
            "start 05:00"
        ]
    );
    assert_eq!(
        decide(Catchup::All, Some(2 * 3600)),
        ["skip 3x 01:00-03:00 TooOld", "start 04:00", "start 05:00"]
    );
    assert_eq!(
        decide(Catchup::Latest, Some(600)),
        ["skip 5x 01:00-05:00 TooOld"]
    );
    // On time, a missed slot is not at stake.
    let on_time = at("2026-11-22T05:00:30Z");
    for catchup in [Catchup::None, Catchup::Latest, Catchup::All] {
        let table = timetable("0 * * * *", catchup, Some(600), None);
        assert_eq!(
            told(&due(&table, at("2026-11-22T04:00:00Z"), on_time)),
            ["start 05:00"]
        );
        assert_eq!(
            told(&due(&table, at("2026-11-22T05:00:00Z"), on_time)),
            [""; 0]
        );
    }
}

#[test]
fn jitter_is_within_its_bound_the_same_every_time_and_another_for_another_slot() {
    let table = timetable("0 * * * *", Catchup::All, None, Some(120));
    let found: Vec<Duration> = slots(&table.cron, &table.zone, at("2026-11-22T00:00:00Z"))
        .take(200)
        .map(|slot| {
            assert_eq!(table.start_of(slot), table.clone().start_of(slot));
            table.start_of(slot).since(slot.at)
        })
        .collect();
    assert!(found.iter().all(|share| *share <= Duration::from_secs(120)));
    assert!(found.iter().collect::<HashSet<_>>().len() > 150);
    // Before its share has passed a slot is not due, then it is.
    let since = at("2026-11-22T00:00:00Z");
    let start = table.next_start(since).unwrap();
    assert!(due(&table, since, Timestamp::from_micros(start.as_micros() - 1)).is_empty());
    assert_eq!(told(&due(&table, since, start)), ["start 01:00"]);
}

#[test]
fn a_long_absence_is_decided_in_parts_that_come_to_the_same() {
    let (since, now) = (at("2026-11-20T00:00:00Z"), at("2026-11-22T05:20:00Z"));
    let table = timetable("* * * * *", Catchup::Latest, Some(24 * 3_600), None);
    let mut from = since;
    let mut calls = 0;
    let (mut skipped, mut started) = (0, Vec::new());
    loop {
        let decisions = due(&table, from, now);
        let Some(last) = decisions.last() else { break };
        calls += 1;
        let mut count = 0;
        for decision in &decisions {
            match decision {
                Decision::Start(slot) => {
                    started.push(slot.at);
                    count += 1;
                }
                Decision::Skip(group, reason) => {
                    let old = now.since(group.last.at) > Duration::from_secs(24 * 3_600);
                    assert_eq!(old, *reason == SkipReason::TooOld);
                    skipped += group.count;
                    count += group.count;
                }
            }
        }
        assert!(count <= SLOTS_MAX);
        from = match last {
            Decision::Start(slot) => slot.at,
            Decision::Skip(group, _) => group.last.at,
        };
    }
    assert_eq!((calls, skipped), (4, 53 * 60 + 20 - 1));
    assert_eq!(started, [at("2026-11-22T05:20:00Z")]);
}
