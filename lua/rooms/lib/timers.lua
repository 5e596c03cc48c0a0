-- Shared: timers:{n}, the hint that says which scopes have a timer that will be due: `kind:id` → when to look there (ms). What
-- stands behind the point is no time but marks: .5 there was no timer at the last look, and after another such look the entry
-- goes; .25 a node has taken the entry and is looking. A hint that comes meanwhile takes the marks away, so that what that node
-- found, perhaps before the new timer was set, does not count any more.

local call = redis.call
local EMPTY, TAKEN = 0.5, 0.25
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- A score as it is written and compared.
local function text(score)
  return string.format('%.2f', tonumber(score))
end

local function is_empty(score)
  return score % 1 >= EMPTY
end
