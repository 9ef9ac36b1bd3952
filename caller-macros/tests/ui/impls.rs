//! Where the attribute cannot see what the function stands in.

struct Thing;

trait Does {
    async fn does(&self);
}

impl Does for Thing {
    #[caller::queued]
    async fn does(&self) {}
}

impl Thing {
    #[caller::queued]
    async fn make() {}
}

/// Not what `find` below is to call.
fn find() {}

impl Thing {
    #[caller::call_soon]
    #[caller::call_direct]
    fn find() {}
}

fn main() {}
