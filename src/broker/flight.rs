//! A batch on its way to RabbitMQ, and what came of each message.

use std::time::Duration;

use lapin::Channel;

use super::{
    publish::{self, Answer, Publishing},
    topology::{Taker, Topology},
};
use crate::{
    domain::Uuid,
    ports::{BrokerError, Destination, Outgoing},
};

/// What came of one message.
pub(super) enum Said {
    /// The broker has it.
    Taken,
    /// The broker has it not, for want of a connection or of a queue; to which partner it goes, if to one.
    Lost(Option<Uuid>, BrokerError),
    /// It was not sent, or its queue said no: the connection is not given up for it.
    Refused(BrokerError),
    /// The broker has said nothing of it in time; to which partner it goes, if to one.
    Nothing(Option<Uuid>),
}

impl Said {
    /// Whether the connection, or a queue of the daemon's own, is to blame.
    pub(super) fn is_lost(&self) -> bool {
        match self {
            Self::Nothing(_) | Self::Lost(None, _) => true,
            Self::Lost(Some(_), error) => matches!(error, BrokerError::Away(_)),
            Self::Taken | Self::Refused(_) => false,
        }
    }
}

/// A message of the batch: its place, and its partner.
struct Seat {
    place: usize,
    partner: Option<Uuid>,
}

/// A batch on its way.
pub(super) struct Flight {
    /// What came of each, in the order of the batch.
    said: Vec<Said>,
    boarded: Vec<(Seat, Outgoing)>,
    sent: Vec<(Seat, Publishing)>,
}

/// The partner that a message goes to.
pub(super) fn partner_of(outgoing: &Outgoing) -> Option<&Uuid> {
    match &outgoing.destination {
        Destination::Partner(partner) | Destination::Bridge(partner) => Some(partner),
        _ => None,
    }
}

/// Who takes what a message's queue holds.
pub(super) fn taker_of(outgoing: &Outgoing) -> Taker {
    if matches!(outgoing.destination, Destination::Bridge(_)) { Taker::Bridge } else { Taker::Daemon }
}

impl Flight {
    /// A batch of so many.
    pub(super) fn of(count: usize) -> Self {
        let said = std::iter::repeat_with(|| Said::Nothing(None)).take(count).collect();
        Self { said, boarded: Vec::with_capacity(count), sent: Vec::with_capacity(count) }
    }

    /// Takes a message up.
    pub(super) fn board(&mut self, place: usize, outgoing: Outgoing) {
        let partner = partner_of(&outgoing).cloned();
        self.boarded.push((Seat { place, partner }, outgoing));
    }

    /// Leaves a message behind.
    pub(super) fn leave(&mut self, place: usize, error: BrokerError) {
        self.note(place, Said::Refused(error));
    }

    /// Sends what was taken up since the last time. Until it has landed, the channel must stay open: one that closes hears
    /// no more.
    pub(super) fn start(&mut self, channel: &Channel, topology: &Topology) {
        let (seats, batch): (Vec<Seat>, Vec<Outgoing>) =
            std::mem::take(&mut self.boarded).into_iter().unzip();
        for (seat, publishing) in seats.into_iter().zip(publish::start(channel, topology, batch)) {
            match publishing {
                Ok(publishing) => self.sent.push((seat, publishing)),
                Err(error) => self.leave(seat.place, error),
            }
        }
    }

    /// Waits until the broker has said something of every message, or for so long.
    pub(super) async fn land(mut self, patience: Duration) -> Vec<Said> {
        let (seats, batch): (Vec<Seat>, Vec<Publishing>) = std::mem::take(&mut self.sent).into_iter().unzip();
        for (seat, answer) in seats.into_iter().zip(publish::settle(batch, patience).await) {
            let said = match answer {
                Some(Answer::Taken) => Said::Taken,
                Some(Answer::Nacked) => Said::Refused(BrokerError::Refused("it said no".to_owned())),
                Some(Answer::Lost(error)) => Said::Lost(seat.partner, error),
                None => Said::Nothing(seat.partner),
            };
            self.note(seat.place, said);
        }
        self.said
    }

    fn note(&mut self, place: usize, said: Said) {
        if let Some(noted) = self.said.get_mut(place) {
            *noted = said;
        }
    }
}
