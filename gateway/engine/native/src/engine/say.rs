use super::connection::{Connection, NEVER, Phase};
use super::stream::{Gone, write_or_owe};

/// What was read goes to an endpoint that may be connected by now. `false`: it is not yet, and is to be waited for. Err: nor will it be.
pub fn say_at_once(connection: &mut Connection) -> Result<bool, Gone> {
    let Some(up) = connection.up.as_mut() else { return Ok(false) };
    up.writable = true;
    write_or_owe(&mut connection.way_up, up, &connection.preface)?;
    if connection.way_up.owed.len() == connection.preface.len() {
        connection.way_up.owed = Vec::new();
        return Ok(false);
    }
    connection.phase = Phase::FirstByte;
    stands(connection);
    took(connection);
    Ok(true)
}

/// TCP to the endpoint does.
pub fn stands(connection: &mut Connection) {
    connection.connect_by = NEVER;
    if let Some(watched) = connection.led.as_mut().and_then(|led| led.watched.as_mut()) {
        watched.connected();
    }
}

/// The endpoint stands, proven if it had to be.
pub fn took(connection: &mut Connection) {
    if let (Some(begun), Some(led)) = (connection.step.take(), &connection.led) {
        led.cluster.spreads.connected(begun.elapsed());
    }
}
