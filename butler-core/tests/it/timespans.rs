use butler_core::Timespan;
use serde_json::{Value, json};

use crate::support::fixture;

fn rows(part: usize) -> Vec<Value> {
    fixture("timespans.json")[part].as_array().unwrap().clone()
}

fn timespan(value: &Value) -> Timespan {
    serde_json::from_value(value.clone()).unwrap()
}

#[test]
fn timespans_are_made_of_bounds_as_in_the_reference() {
    for row in rows(0) {
        let (begin, end) = (row[0].as_i64(), row[1].as_i64());
        let made = if row[2] == true {
            Timespan::new(begin, end)
        } else {
            Timespan::new_unpadded(begin, end)
        };
        if row[3].is_null() {
            assert!(made.is_err(), "{row}");
        } else {
            let made = made.unwrap();
            assert_eq!(json!(made), row[3], "{row}");
            assert_eq!(made.to_string(), row[4].as_str().unwrap());
        }
    }
}

#[test]
fn timespans_relate_to_each_other_and_to_times_as_in_the_reference() {
    for row in rows(1) {
        let (a, b, t) = (
            timespan(&row[0]),
            timespan(&row[1]),
            row[2].as_i64().unwrap(),
        );
        let found: String = [
            a.overlaps(b),
            a.contains(b),
            a.is_before(b),
            a.is_after(b),
            a == b,
            a.is_empty(),
            a.contains_time(t),
            a.contains_time(t),
            a.is_before_time(t),
            a.is_after_time(t),
            a.begin_ns() == Timespan::MIN_NS,
            a.end_ns() == Timespan::MAX_NS,
        ]
        .map(|flag| if flag { '1' } else { '0' })
        .into_iter()
        .collect();
        assert_eq!(found, row[3].as_str().unwrap(), "{row}");
        assert_eq!(json!(a.intersection(b)), row[4], "{row}");
        assert_eq!(json!(a.difference(b).collect::<Vec<_>>()), row[5], "{row}");
    }
}

#[test]
fn days_of_observation_and_instants_become_timespans() {
    for row in rows(2) {
        let made = Timespan::from_day_obs(row[0].as_i64().unwrap(), row[1].as_i64().unwrap());
        assert_eq!(json!(made.unwrap()), row[2], "{row}");
    }
    for bad in [19_691_231, 20_240_230, 20_241_301, 2_024, i64::MAX] {
        assert!(Timespan::from_day_obs(bad, 0).is_err(), "{bad}");
    }
    for row in rows(3) {
        let made = Timespan::from_instant(row[0].as_i64().unwrap());
        assert_eq!(json!(made.ok()), row[1], "{row}");
    }
}

#[test]
fn pairs_on_the_wire_that_hold_no_time_are_the_empty_timespan() {
    assert_eq!(timespan(&json!([5, 5])), Timespan::EMPTY);
    assert!(serde_json::from_value::<Timespan>(json!([1])).is_err());
    assert!(serde_json::from_value::<Timespan>(json!(["a", "b"])).is_err());
}
