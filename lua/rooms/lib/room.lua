-- Shared by the scripts of a room whose rules the caller has checked. After the six of scope/lib/scope ARGV goes on with
--   7 user   8 user key   9 role   10 socket ('' none)   11 source (for the audit trail)
-- Answers begin { outcome, heard or -1, listeners, time, duplicate, … }. Needs scope/lib/scope, log and rooms/lib/audit.

USER, ROLE, SID, SOURCE = ARGV[7], ARGV[9], ARGV[10], ARGV[11]
local KEY = ARGV[8]
local DUPLICATE = 5 -- its place in an answer

local function answer(outcome, ...)
  return { outcome, least, listeners, now, 0, ... }
end

-- Ends a write that had an effect.
local function done(result)
  keep(now, META, LOG, MEMBERS)
  remember(result, KEY, true)
  commit()
  return result
end
