"""The figures: tables in, a matplotlib Figure out, one module per figure; `style` draws and saves them."""
