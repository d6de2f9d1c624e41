//! What a hand holds, and what leaves it.

use super::*;
use crate::domain::{Contents, MessageState, MessageType, Timestamp};

fn message(owner: &str, n: i64) -> Message {
    Message {
        seq: n,
        before: None,
        id: MessageId { owner: Uuid::new(owner), n },
        agreement: None,
        kind: MessageType::TicketUpdate,
        state: MessageState::Published,
        body: String::new(),
        contents: Contents::default(),
        attempts: 0,
        due_at: None,
        error: None,
        event_at: None,
        created_at: Timestamp::from_millis(0),
        updated_at: Timestamp::from_millis(0),
        cause: None,
        bridged: false,
    }
}

/// Puts what the queue gave, and what the rows say.
fn put(hand: &mut Hand, taken: &[(u64, &str, i64)], rows: &[(&str, i64)]) {
    let id = |owner: &str, n| MessageId { owner: Uuid::new(owner), n };
    let owners = taken.iter().map(|(_, owner, _)| Uuid::new(*owner)).collect();
    let taken = taken.iter().map(|(tag, owner, n)| (*tag, Some(id(owner, *n)))).collect();
    let rows = rows.iter().map(|(owner, n)| message(owner, *n)).collect();
    hand.put(taken, owners, rows, Look::new(0, 0));
}

fn next(hand: &mut Hand) -> Option<(String, i64)> {
    hand.next().map(|(message, _)| (message.id.owner.to_string(), message.id.n))
}

fn done(hand: &mut Hand, owner: &str, n: i64) {
    hand.done(&MessageId { owner: Uuid::new(owner), n });
}

#[test]
fn tickets_go_side_by_side_and_messages_of_one_in_order() {
    let mut hand = Hand::default();
    put(&mut hand, &[(1, "a", 1), (2, "b", 1)], &[("a", 1), ("b", 1), ("a", 2)]);
    assert_eq!((hand.rows(), hand.ready()), (3, 2));
    assert_eq!(next(&mut hand), Some(("a".into(), 1)));
    assert_eq!(next(&mut hand), Some(("b".into(), 1)));
    assert_eq!(next(&mut hand), None, "the second of a waits for the first");
    done(&mut hand, "a", 1);
    assert_eq!(next(&mut hand), Some(("a".into(), 2)));
    done(&mut hand, "a", 2);
    done(&mut hand, "b", 1);
    assert!(hand.is_empty());
}

#[test]
fn what_a_reading_is_behind_on_is_not_sent_again() {
    let mut hand = Hand::default();
    put(&mut hand, &[(1, "a", 1), (2, "b", 1)], &[("a", 1), ("b", 1)]);
    assert_eq!(next(&mut hand), Some(("a".into(), 1)));
    assert_eq!(next(&mut hand), Some(("b".into(), 1)));
    hand.reading();
    // The rows are read before it is written that b's is done, and while a's is on its way.
    done(&mut hand, "b", 1);
    put(&mut hand, &[(3, "a", 2), (4, "b", 2)], &[("a", 1), ("b", 1), ("a", 2), ("b", 2)]);
    assert_eq!(next(&mut hand), Some(("b".into(), 2)));
    assert_eq!(next(&mut hand), None);
    done(&mut hand, "a", 1);
    assert_eq!(next(&mut hand), Some(("a".into(), 2)));
}

#[test]
fn what_is_withdrawn_leaves_the_hand_with_the_next_reading() {
    let mut hand = Hand::default();
    put(&mut hand, &[(1, "a", 1), (2, "b", 1)], &[("a", 1), ("a", 2), ("b", 1)]);
    put(&mut hand, &[(3, "a", 3)], &[("a", 3)]);
    assert_eq!(hand.rows(), 2);
    assert_eq!(hand.acknowledged(1), Some(1), "b's is not done");
    let mut order: Vec<_> = std::iter::from_fn(|| next(&mut hand)).collect();
    order.sort();
    assert_eq!(order, [("a".into(), 3), ("b".into(), 1)]);
}

#[test]
fn the_queue_is_acknowledged_up_to_the_first_that_is_not_done() {
    let mut hand = Hand::default();
    put(&mut hand, &[(7, "a", 1), (8, "b", 1), (9, "c", 1)], &[("a", 1), ("b", 1)]);
    assert_eq!((next(&mut hand).is_some(), next(&mut hand).is_some()), (true, true));
    done(&mut hand, "b", 1);
    assert_eq!(hand.acknowledged(1), None, "a's is on its way");
    done(&mut hand, "a", 1);
    assert_eq!(hand.acknowledged(4), None, "three are not four");
    assert_eq!(hand.acknowledged(3), Some(9), "of c nothing waits");
    assert_eq!(hand.acknowledged(1), None);
}

#[test]
fn what_is_not_sent_for_now_is_acknowledged_once_its_rows_say_so() {
    let mut hand = Hand::default();
    put(&mut hand, &[(1, "a", 1), (2, "a", 2), (3, "b", 1)], &[("a", 1), ("a", 2), ("b", 1)]);
    assert_eq!(next(&mut hand), Some(("a".into(), 1)));
    hand.failed(&MessageId { owner: Uuid::new("a"), n: 1 });
    let rest: Vec<i64> = hand.hold(&Uuid::new("a")).iter().map(|message| message.id.n).collect();
    assert_eq!((rest.as_slice(), hand.rows(), next(&mut hand)), (&[2][..], 2, Some(("b".into(), 1))));
    done(&mut hand, "b", 1);
    assert_eq!(hand.acknowledged(1), Some(1), "the second is not written yet");
    // Another one comes meanwhile.
    put(&mut hand, &[(4, "a", 3)], &[("a", 2), ("a", 3)]);
    assert_eq!(hand.hold(&Uuid::new("a")).len(), 2);
    assert_eq!(next(&mut hand), None);
    hand.aside(&Uuid::new("a"), &[2]);
    assert_eq!(hand.acknowledged(1), Some(3));
    assert_eq!(hand.hold(&Uuid::new("a")).len(), 1);
    hand.aside(&Uuid::new("a"), &[3]);
    assert_eq!((hand.acknowledged(1), hand.is_empty(), hand.rows()), (Some(4), true, 0));
}

#[test]
fn one_that_comes_back_is_before_what_follows_it() {
    let mut hand = Hand::default();
    put(&mut hand, &[(1, "a", 1)], &[("a", 1), ("a", 2)]);
    let (first, _) = hand.next().unwrap_or_else(|| unreachable!("it is ready"));
    hand.back(first);
    assert_eq!(hand.rows(), 2);
    let waiting: Vec<i64> = hand.waiting().map(|message| message.id.n).collect();
    assert_eq!(waiting, [1, 2]);
    let (through, rest) = hand.into_rest();
    assert_eq!((through, rest.len()), (Some(1), 1));
}

#[test]
fn of_what_has_failed_whoever_was_tried_longest_ago_comes_first() {
    let mut hand = Hand::default();
    let failed = |owner: &str, due_at| Message {
        attempts: 1,
        due_at: Some(Timestamp::from_millis(due_at)),
        ..message(owner, 1)
    };
    let owners = ["a", "b", "c"].map(Uuid::new).into_iter().collect();
    let rows = vec![failed("a", 30), failed("b", 10), failed("c", 20)];
    hand.put(Vec::new(), owners, rows, Look::new(0, 0));
    let order: Vec<_> = std::iter::from_fn(|| next(&mut hand)).map(|(owner, _)| owner).collect();
    assert_eq!(order, ["b", "c", "a"]);
}
