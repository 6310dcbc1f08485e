//! What an idle connection holds. The only test of its program: it counts what the whole process allocates.

mod support;

use support::counting::{Counting, live};
use support::pipe::{give, seal};
use support::scene::{Scene, connect, target};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn an_idle_end_holds_a_few_kilobytes_whatever_went_through_it() {
    let scene = Scene::new();
    let (client, server) = (scene.client(&scene.east.svid("caller")), scene.server(&scene.east.svid("orders"), &[]));
    // What both sides keep of sessions and verdicts is there after the first.
    drop(connect(&client, &target("orders"), &server).unwrap());
    let before = live();
    let mut idle = Vec::with_capacity(100);
    for _ in 0..100 {
        let [mut caller, mut callee] = connect(&client, &target("orders"), &server).unwrap();
        let said = vec![1; 200_000];
        let up = seal(&mut caller, &said);
        assert_eq!(give(&mut callee, &up).unwrap().len(), said.len());
        let down = seal(&mut callee, &said);
        assert_eq!(give(&mut caller, &down).unwrap().len(), said.len());
        idle.push([caller, callee]);
    }
    let each = (live() - before) / 100;
    assert!(each < 10_000, "both ends hold {each} bytes");
    drop(idle);
    assert!(live() < before + 20_000, "{} bytes were left behind", live() - before);
}
