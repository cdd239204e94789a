"""How the page looks."""

from __future__ import annotations

import gradio as gr

# Fonts that are there: none is fetched.
THEME = gr.themes.Soft(
    primary_hue="indigo",
    secondary_hue="slate",
    neutral_hue="slate",
    font=["system-ui", "Segoe UI", "Roboto", "Liberation Sans", "sans-serif"],
    font_mono=["ui-monospace", "Consolas", "Liberation Mono", "monospace"],
).set(
    body_background_fill="*neutral_50",
    block_border_width="1px",
    block_title_background_fill="none",
    block_title_background_fill_dark="none",
    block_title_padding="0",
    block_title_text_color="*body_text_color",
    block_title_text_color_dark="*body_text_color",
    block_title_text_weight="600",
    block_label_background_fill="*background_fill_primary",
    block_label_background_fill_dark="*background_fill_primary",
    block_label_text_color="*body_text_color",
    block_label_text_color_dark="*body_text_color",
    checkbox_label_background_fill_selected="*primary_100",
    checkbox_label_background_fill_selected_dark="*primary_900",
    checkbox_label_text_color_selected="*body_text_color",
    checkbox_label_text_color_selected_dark="*body_text_color",
)
CSS = """
.gradio-container { width: 100%; max-width: 1180px !important; margin: 0 auto !important; }
#title h1 { margin: 0.4rem 0 0; }
#upload .icon-button-wrapper button[aria-label]:not([aria-label="Clear"]) { display: none; }
[data-testid="status-tracker"] { justify-content: center !important; }
[data-testid="status-tracker"] svg { display: none; }
[data-testid="status-tracker"] div { font-family: inherit; }
.told { padding: 1rem 1.2rem; border-radius: 8px; background: var(--background-fill-secondary); }
.told.tall { height: 318px; display: grid; place-items: center; text-align: center;
    color: var(--body-text-color-subdued); border: 1px dashed var(--border-color-primary); }
.told.wrong { background: #fdecee; color: #8c1d2f; border-color: #e9b3bc; }
.dark .told.wrong { background: #4a1620; color: #ffd9de; }
.html-container { padding: 0 !important; }
.picture { overflow-x: auto; background: white; border-radius: 8px; }
.picture img { width: 100%; min-width: 560px; }
.said { margin: 0.5rem 0.2rem; }
.scores { display: grid; grid-template-columns: 1fr auto; gap: 0.15rem 1rem; margin: 0.2rem; }
.scores dd { margin: 0; text-align: right; font-variant-numeric: tabular-nums; }
"""
# The browser itself refuses to fetch anything from elsewhere.
HEAD = (
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'self' 'unsafe-inline'"
    " 'unsafe-eval' data: blob:\">"
)
