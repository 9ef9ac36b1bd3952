//! Boxes of calls that have ended, kept to be used again by calls of the same type.

use std::{
    any::{Any, TypeId},
    cell::RefCell,
    pin::Pin,
};

/// How many types have a place. A program that makes calls of more types at once allocates for some of them.
const TYPES: usize = 16;

/// How many boxes of one type are kept, and how many bytes in them.
const BOXES: usize = 64;
const BYTES: usize = 16 * 1024;

/// The boxes that one scheduler keeps.
#[derive(Default)]
pub(crate) struct Boxes(RefCell<Places>);

#[derive(Default)]
struct Places {
    known: Vec<Place>,
    /// Which place goes to the next type once all are taken.
    next: usize,
}

struct Place {
    of: TypeId,
    /// A `Vec<Pin<Box<T>>>` of the type.
    boxes: Box<dyn Any>,
}

impl Boxes {
    /// A box that a call of this type has left, if there is one.
    pub(super) fn take<T: 'static>(&self) -> Option<Pin<Box<T>>> {
        let mut places = self.0.borrow_mut();
        let place = places.known.iter_mut().find(|place| place.of == TypeId::of::<T>())?;
        place.boxes.downcast_mut::<Vec<Pin<Box<T>>>>()?.pop()
    }

    /// Keeps a box whose call has ended: nothing of a user's is in it.
    pub(super) fn give_back<T: 'static>(&self, empty: Pin<Box<T>>) {
        let limit = BOXES.min(BYTES / size_of::<T>().max(1));
        if limit == 0 {
            return;
        }
        let mut places = self.0.borrow_mut();
        let known = places.known.iter().position(|place| place.of == TypeId::of::<T>());
        let at = known.unwrap_or_else(|| places.add(Place { of: TypeId::of::<T>(), boxes: boxes::<T>() }));
        if let Some(boxes) = places.known[at].boxes.downcast_mut::<Vec<Pin<Box<T>>>>()
            && boxes.len() < limit
        {
            boxes.push(empty);
        }
    }
}

fn boxes<T: 'static>() -> Box<dyn Any> {
    Box::new(Vec::<Pin<Box<T>>>::new())
}

impl Places {
    fn add(&mut self, place: Place) -> usize {
        if self.known.len() < TYPES {
            self.known.push(place);
            return self.known.len() - 1;
        }
        let at = self.next;
        self.next = (at + 1) % TYPES;
        self.known[at] = place;
        at
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_box_is_used_again_by_its_own_type() {
        let boxes = Boxes::default();
        assert!(boxes.take::<u8>().is_none());
        let one = Box::pin(7_u8);
        let address = std::ptr::from_ref(&*one);
        boxes.give_back(one);
        assert!(boxes.take::<u16>().is_none());
        assert!(boxes.take::<u8>().is_some_and(|again| std::ptr::eq(&*again, address)));
        assert!(boxes.take::<u8>().is_none());
    }

    #[test]
    fn neither_many_nor_large_boxes_are_kept() {
        let kept = |boxes: &Boxes| std::iter::from_fn(|| boxes.take::<[u64; 128]>()).count();
        let boxes = Boxes::default();
        (0..100).for_each(|_| boxes.give_back(Box::pin([0_u64; 128])));
        assert_eq!(kept(&boxes), BYTES / 1024);
        boxes.give_back(Box::pin([0_u8; 2 * BYTES]));
        assert!(boxes.take::<[u8; 2 * BYTES]>().is_none());
    }

    #[test]
    fn a_seventeenth_type_takes_the_place_of_another() {
        let boxes = Boxes::default();
        macro_rules! give_back {
            ($($size:literal)*) => { $(boxes.give_back(Box::pin([0_u8; $size]));)* };
        }
        give_back!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17);
        assert!(boxes.take::<[u8; 17]>().is_some());
        assert!(boxes.take::<[u8; 16]>().is_some());
        assert!(boxes.take::<[u8; 1]>().is_none(), "the oldest place is given away first");
    }
}
