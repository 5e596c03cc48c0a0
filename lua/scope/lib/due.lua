-- Shared: the durable timers of a scope (src/rooms/timers). scope:due holds `timer[ subject]` → when it is due (ms), and '' at
-- +inf, so that the key exists. A script that sets or clears a timer declares the key, and calls `clock` or `open` and then
-- `due_open` first. What it has set it hands back as ms from now: its caller writes the hint in timers:{n} by that.

local DUE
local DUE_KEEP_MS = 90000000 -- beyond the latest timer: as long as the other keys of a scope

local function due_open(key) DUE = key end

-- The key exists, and lives as long as it is needed.
local function due_keep(left)
  if call('PTTL', DUE) < left + DUE_KEEP_MS - 3600000 then call('PEXPIRE', DUE, left + DUE_KEEP_MS) end
end

local function due_ensure()
  call('ZADD', DUE, 'NX', '+inf', '')
  due_keep(0)
end

-- Sets a timer, in place of the moment to which it was set. Returns ms until then.
local function due_at(row, at)
  local left = math.max(at - now, 0)
  call('ZADD', DUE, at, row, '+inf', '')
  due_keep(left)
  return left
end

-- Sets a timer, unless it is set to an earlier moment. Returns ms until then, or -1 if nothing has changed.
local function due_by(row, at)
  local set = call('ZSCORE', DUE, row)
  if set and tonumber(set) <= at then return -1 end
  return due_at(row, at)
end

-- Clears a timer. Returns -1: it is not due any more.
local function due_clear(row)
  call('ZREM', DUE, row)
  return -1
end
