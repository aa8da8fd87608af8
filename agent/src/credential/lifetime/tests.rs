use super::*;

const START: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

fn life(length: Duration) -> Lifetime {
    Lifetime {
        from: START,
        until: Some(START + length),
    }
}

#[test]
fn a_life_has_its_ages_in_order_and_each_is_looked_at_when_it_begins() {
    let own = life(Duration::seconds(10));
    let mut now = START - Duration::DAY;
    let mut ages = vec![own.age(now)];
    while let Some(next) = own.next(now) {
        assert!(next > now, "it would be looked at for ever");
        now = next;
        ages.push(own.age(now));
    }
    let end = START + Duration::seconds(10);
    assert_eq!(ages, [Age::NotYet, Age::Good, Age::Last(end), Age::Over(end)]);
    assert_eq!(now, end + PAST);
}

#[test]
fn notice_is_given_in_the_last_tenth_and_at_most_for_a_month() {
    for (length, notice) in [
        (Duration::seconds(100), Duration::seconds(10)),
        (Duration::days(90), Duration::days(9)),
        (Duration::days(3650), Duration::days(30)),
    ] {
        let own = life(length);
        let begins = START + length - notice;
        assert_eq!(own.age(begins), Age::Good, "{length}");
        assert_eq!(own.age(begins + PAST), Age::Last(START + length), "{length}");
    }
}

#[test]
fn what_has_no_end_never_expires() {
    let own = Lifetime {
        from: START,
        until: None,
    };
    assert_eq!(own.age(START + Duration::days(99_999)), Age::Good);
    assert_eq!(own.next(START + Duration::SECOND), None);
}

#[test]
fn a_clock_that_goes_back_to_the_last_look_finds_the_age_before() {
    let own = life(Duration::seconds(10));
    let ages = |now: OffsetDateTime| (own.age(now), own.last(now).map(|last| own.age(last)));
    let end = START + Duration::seconds(10);
    assert_eq!(ages(end + PAST), (Age::Over(end), Some(Age::Last(end))));
    assert_eq!(ages(end), (Age::Last(end), Some(Age::Good)));
    assert_eq!(ages(START), (Age::Good, Some(Age::NotYet)));
    assert_eq!(ages(START - PAST), (Age::NotYet, None));
}
