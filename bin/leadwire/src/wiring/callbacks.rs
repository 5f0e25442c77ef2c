//! The worker of stored callbacks.

use projections::CallbackWorker;
use projections::callbacks::SendingApps;

use crate::app::App;
use crate::config::CallbackKind;

/// A worker that does nothing yet.
pub(super) fn worker(app: &App) -> CallbackWorker {
    let named = |kind| app.callbacks.app_of(kind).map(str::to_owned);
    let apps = SendingApps {
        mini_program: named(CallbackKind::MiniProgram),
        official: named(CallbackKind::Official),
        cloud: app.settings.channels().wechat_cloud.map(|cloud| cloud.app),
    };
    CallbackWorker::new(
        app.bus.clone(),
        app.projections.progress().clone(),
        app.callbacks.store().clone(),
        apps,
        app.clock.clone(),
        app.ids.clone(),
    )
}
