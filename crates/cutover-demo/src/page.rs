//! The page a browser gets.

/// The version in a box whose colour follows from the version, so that a switch is seen at once.
pub(crate) fn html(version: &str, instance: &str, pid: u32) -> String {
    let instance = instance.replace('&', "&amp;").replace('<', "&lt;");
    let hue = hue(version);
    format!(
        "<!doctype html>
<html lang=\"en\"><head><meta charset=\"utf-8\"><title>cutover-demo {version}</title>
<style>
body {{ margin: 0; height: 100vh; display: grid; place-content: center; text-align: center;
        font: 16px/1.5 system-ui, sans-serif; background: #f6f6f4; color: #444 }}
h1 {{ margin: 0 0 .3em; padding: .5em 1.2em; border-radius: .25em; font-size: 4rem;
      color: #fff; background: hsl({hue} 60% 36%) }}
</style></head>
<body><main><h1>{version}</h1>answered by {instance}, process {pid}</main></body></html>
"
    )
}

/// FNV-1a, spread over the colour circle by the golden angle: v1 and v2 must not look alike.
fn hue(version: &str) -> u32 {
    let hash = version
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    (hash % 360 * 137) % 360
}
