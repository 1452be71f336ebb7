"""What the monitor stores: windows, the facts that may meet them, watermarks, escalations and holds."""
