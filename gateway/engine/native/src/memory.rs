//! glibc's allocator, which Node, this crate and aws-lc share. Another one (musl's) keeps little, and tells nothing.

/// What was freed stays with the allocator, in case it is asked for again; a memory limit counts that. Takes some ms for each 100 MB
/// that were freed, with its locks held.
pub fn give_back() {
    // SAFETY: its argument says how much to keep, and it looks at nothing that is in use.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Bytes that it has from the system, and nobody from it.
pub fn held_free() -> usize {
    // Not mallinfo2, which glibc before 2.33 has not: its counts are of 32 bits, and beyond 4 GB nobody is short.
    // SAFETY: it only counts.
    #[cfg(target_env = "gnu")]
    return unsafe { libc::mallinfo() }.fordblks as u32 as usize;
    #[cfg(not(target_env = "gnu"))]
    0
}
