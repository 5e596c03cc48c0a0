-- Notes when to look again at scopes that were taken. Those whose score is another by now are left alone.
-- KEYS 1 timers:{n}
-- ARGV per scope: kind:id, score by which it was taken, ms until its next timer or '' if it has none
-- Returns { scopes that were settled }
-- Safe to repeat by itself.
local WAIT_MS = 6000 -- longer than a script may follow on its hint; a scope that is empty then has surely no timer
local settled = 0
for i = 1, #ARGV, 3 do
  local name, taken, wait = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local score = call('ZSCORE', KEYS[1], name)
  if score and text(score) == taken then
    settled = settled + 1
    if wait ~= '' then
      call('ZADD', KEYS[1], text(now + wait), name)
    elseif is_empty(tonumber(score)) then
      call('ZREM', KEYS[1], name)
    else
      call('ZADD', KEYS[1], text(now + WAIT_MS + EMPTY), name)
    end
  end
end
return { settled }
