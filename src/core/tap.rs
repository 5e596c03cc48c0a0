//! A place at which one observer may listen in on what passes. While it is shut, passing it costs one load.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

/// Cheap to clone; all clones are one place. `T` is the trait of its observers.
///
/// ```
/// use std::sync::Arc;
/// use convoke::core::Tap;
///
/// trait Observer: Send + Sync {
///     fn passed(&self, bytes: usize);
/// }
/// # struct Log;
/// # impl Observer for Log { fn passed(&self, bytes: usize) { assert_eq!(bytes, 7); } }
///
/// let tap = Tap::<dyn Observer>::default();
/// tap.tell(|observer| observer.passed(5)); // nobody listens
/// tap.set(Arc::new(Log));
/// tap.open(true);
/// tap.tell(|observer| observer.passed(7));
/// ```
pub struct Tap<T: ?Sized>(Arc<Inner<T>>);

struct Inner<T: ?Sized> {
    open: AtomicBool,
    observer: OnceLock<Arc<T>>,
}

impl<T: ?Sized> Tap<T> {
    /// Names the observer, which is told nothing before the tap is open. Only the first call has an effect.
    pub fn set(&self, observer: Arc<T>) {
        let _ = self.0.observer.set(observer);
    }

    /// From now on the observer is told what passes, or no longer.
    pub fn open(&self, open: bool) {
        self.0.open.store(open, Relaxed);
    }

    pub fn is_open(&self) -> bool {
        self.0.open.load(Relaxed)
    }

    /// Tells the observer, if the tap is open.
    #[inline]
    pub fn tell(&self, what: impl FnOnce(&T)) {
        if self.is_open()
            && let Some(observer) = self.0.observer.get()
        {
            what(observer);
        }
    }
}

impl<T: ?Sized> Clone for Tap<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: ?Sized> Default for Tap<T> {
    fn default() -> Self {
        Self(Arc::new(Inner { open: AtomicBool::new(false), observer: OnceLock::new() }))
    }
}

impl<T: ?Sized> fmt::Debug for Tap<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tap").field("open", &self.is_open()).finish()
    }
}
