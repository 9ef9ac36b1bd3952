//! WAI: several pendings at once.

use std::time::Duration;

use super::Trouble;
use crate::{Pending, Resolver, ReturnWhen, testing::Fixture};

pub fn wai_01_conditions<F: Fixture>() {
    let fixture = F::new();
    let caller = fixture.caller();
    let conditions =
        [(ReturnWhen::FirstCompleted, 1), (ReturnWhen::FirstException, 2), (ReturnWhen::AllCompleted, 3)];
    for (condition, expected) in conditions {
        let (resolvers, pendings): (Vec<_>, Vec<_>) = (0..3).map(|_| Resolver::<u32>::new()).unzip();
        let waited = fixture.block_on(async {
            let mut waiting = caller.wait(pendings).return_when(condition);
            let mut steps = 0;
            std::future::poll_fn(|cx| {
                loop {
                    if let std::task::Poll::Ready(waited) = std::pin::Pin::new(&mut waiting).poll(cx) {
                        return std::task::Poll::Ready(waited);
                    }
                    match steps {
                        0 => resolvers[0].resolve(0).unwrap(),
                        1 => assert!(resolvers[1].fail(Trouble)),
                        2 => resolvers[2].resolve(2).unwrap(),
                        _ => return std::task::Poll::Pending,
                    }
                    steps += 1;
                }
            })
            .await
            .unwrap()
        });
        assert_eq!((waited.done.len(), waited.pending.len()), (expected, 3 - expected), "{condition:?}");
        assert!(waited.pending.iter().all(|pending| !pending.is_cancelled()));
        for (at, mut pending) in waited.done.into_iter().enumerate() {
            assert_eq!(pending.try_result().is_err(), at == 1);
        }
    }
}

pub fn wai_02_timeout<F: Fixture>() {
    let fixture = F::new();
    let caller = fixture.caller();
    for time in [Duration::from_millis(2), Duration::ZERO] {
        let (resolver, one) = Resolver::new();
        let (_never, two) = Resolver::<u32>::new();
        resolver.resolve(1).unwrap();
        let waited = fixture.block_on(async { caller.wait([one, two]).timeout(time).await }).unwrap();
        assert_eq!((waited.done.len(), waited.pending.len()), (1, 1));
        assert!(!waited.pending[0].is_cancelled());
    }
}

pub fn wai_03_nothing<F: Fixture>() {
    let fixture = F::new();
    let caller = fixture.caller();
    for condition in [ReturnWhen::FirstCompleted, ReturnWhen::FirstException, ReturnWhen::AllCompleted] {
        let nothing = caller.wait(Vec::<Pending<()>>::new()).return_when(condition);
        let waited = fixture.block_on(nothing).unwrap();
        assert!(waited.done.is_empty() && waited.pending.is_empty());
    }
}
