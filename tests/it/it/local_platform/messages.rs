//! How messages come out of the local queue: as from SQS.

use std::{collections::BTreeSet, time::Duration};

use domain::jobs::{Job, QueueName};
use jiff::SignedDuration;
use local::platform::queue::{Depth, LONGEST_LIFE, VISIBILITY};
use ports::{Platform, Queue, message};

use super::{LocalStand, Stand};
use contract::{queue::jobs, samples::together};

const NAME: QueueName = QueueName::PfxImport;
const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// Jobs of the queue that the rows look at.
fn imports(count: usize) -> Vec<Job> {
    (0..count).flat_map(|_| jobs()).filter(|job| job.queue() == NAME).collect()
}

#[tokio::test]
async fn each_job_comes_out_of_its_own_queue_as_it_was_sent() -> anyhow::Result<()> {
    let stand = LocalStand::new().await?;
    let sent = jobs();
    stand.platform.queue().send(sent.clone(), Duration::ZERO).await?;
    let mut received = Vec::new();
    for name in QueueName::ALL {
        for delivery in stand.platform.queue().receive(name, 10).await? {
            received.push(message::read(name, &delivery.body)?);
            assert_eq!(delivery.deliveries, 1);
        }
    }
    assert_eq!(received, sent);
    Ok(())
}

#[tokio::test]
async fn a_message_is_hidden_while_somebody_has_it_and_back_when_the_time_is_over() -> anyhow::Result<()> {
    let stand = LocalStand::new().await?;
    let queue = stand.platform.queue();
    queue.send(imports(1), Duration::ZERO).await?;
    let first = queue.receive(NAME, 10).await?;
    assert_eq!(first.len(), 1);
    stand.pass(VISIBILITY - SECOND);
    assert_eq!(queue.receive(NAME, 10).await?, []);
    assert_eq!(queue.depth(NAME).await?, Depth { in_flight: 1, ..Depth::default() });
    stand.pass(SECOND);
    let second = queue.receive(NAME, 10).await?;
    assert_eq!((second[0].id, &second[0].body, second[0].deliveries), (first[0].id, &first[0].body, 2));

    assert!(!queue.delete(&first[0].receipt).await?, "the first worker has it no more");
    assert!(!queue.release(&first[0].receipt, SignedDuration::ZERO).await?);
    assert!(queue.delete(&second[0].receipt).await?);
    stand.pass(VISIBILITY);
    assert_eq!(queue.receive(NAME, 10).await?, []);
    assert_eq!(queue.next_visible_at(NAME).await?, None);
    Ok(())
}

#[tokio::test]
async fn a_delayed_message_and_a_released_one_come_when_their_time_has_come() -> anyhow::Result<()> {
    let stand = LocalStand::new().await?;
    let queue = stand.platform.queue();
    let begin = *stand.now.lock().expect("nobody panics with it");
    queue.send(imports(1), Duration::from_secs(10)).await?;
    assert_eq!(queue.next_visible_at(NAME).await?, Some(begin + 10 * SECOND));
    assert_eq!(queue.depth(NAME).await?, Depth { delayed: 1, ..Depth::default() });
    stand.pass(9 * SECOND);
    assert_eq!(queue.receive(NAME, 10).await?, []);
    stand.pass(SECOND);
    assert_eq!(queue.depth(NAME).await?, Depth { visible: 1, ..Depth::default() });
    let received = queue.receive(NAME, 10).await?;
    assert!(queue.release(&received[0].receipt, 30 * SECOND).await?);
    stand.pass(29 * SECOND);
    assert_eq!(queue.receive(NAME, 10).await?, []);
    stand.pass(SECOND);
    assert_eq!(queue.receive(NAME, 10).await?[0].deliveries, 2);
    Ok(())
}

#[tokio::test]
async fn a_message_that_was_handed_out_too_often_is_a_dead_letter_and_holds_up_nobody() -> anyhow::Result<()> {
    let stand = LocalStand::new().await?;
    let queue = stand.platform.queue();
    queue.send(imports(1), Duration::ZERO).await?;
    let mut body = String::new();
    for delivery in 1..=LONGEST_LIFE {
        let received = queue.receive(NAME, 10).await?;
        assert_eq!(received[0].deliveries, delivery);
        body.clone_from(&received[0].body);
        stand.pass(VISIBILITY);
    }
    stand.pass(SECOND);
    queue.send(imports(2), Duration::ZERO).await?;
    let next = queue.receive(NAME, 2).await?;
    assert_eq!(next.len(), 2, "the dead one is stepped over");
    let letters = queue.unsettled(NAME).await?;
    assert_eq!(letters.len(), 1);
    assert_eq!((letters[0].queue, &letters[0].body, letters[0].deliveries), (NAME, &body, LONGEST_LIFE));
    assert_eq!(queue.unsettled(QueueName::OrderCheck).await?, []);

    queue.settle(letters[0].id).await?;
    assert_eq!(queue.unsettled(NAME).await?, []);
    assert_eq!(queue.dead_letters().await?, letters, "it stays to be looked at");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receivers_at_the_same_time_get_different_messages() -> anyhow::Result<()> {
    let stand = LocalStand::new().await?;
    stand.platform.queue().send(imports(40), Duration::ZERO).await?;
    let receivers = (0..20).map(|_| {
        let queue = stand.platform.queue().clone();
        async move { queue.receive(NAME, 3).await }
    });
    let received: Vec<_> = together(receivers).await?.into_iter().flatten().map(|received| received.id).collect();
    assert_eq!(received.len(), 40);
    assert_eq!(received.into_iter().collect::<BTreeSet<_>>().len(), 40);
    Ok(())
}

#[tokio::test]
async fn whoever_waits_is_told_of_a_message_of_their_queue() -> anyhow::Result<()> {
    let stand = LocalStand::new().await?;
    let queue = stand.platform.queue();
    let (mut own, other) = (queue.notified(NAME), queue.notified(QueueName::UserImport));
    queue.send(imports(1), Duration::ZERO).await?;
    own.changed().await?;
    assert!(!other.has_changed()?);
    let received = queue.receive(NAME, 1).await?;
    assert!(!own.has_changed()?);
    queue.release(&received[0].receipt, SignedDuration::ZERO).await?;
    own.changed().await?;
    Ok(())
}

#[tokio::test]
async fn what_was_in_flight_when_the_process_ended_is_visible_at_once_and_delays_stand() -> anyhow::Result<()> {
    let stand = LocalStand::new().await?;
    stand.platform.queue().send(imports(2), Duration::ZERO).await?;
    stand.platform.queue().send(imports(1), Duration::from_secs(60)).await?;
    let lost = stand.platform.queue().receive(NAME, 2).await?;
    let stand = stand.restart()?;
    let queue = stand.platform.queue();
    assert_eq!(queue.depth(NAME).await?, Depth { visible: 2, in_flight: 0, delayed: 1 });
    let again: Vec<_> = queue.receive(NAME, 10).await?.into_iter().map(|received| received.body).collect();
    assert_eq!(again, lost.iter().map(|received| received.body.clone()).collect::<Vec<_>>());
    assert!(!queue.delete(&lost[0].receipt).await?);
    Ok(())
}
