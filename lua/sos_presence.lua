-- Announces those whose last connection was lost longer than the grace ago, once.
-- KEYS all nine of lib/sos.lua
-- ARGV 1–13 as in lib/sos.lua   14 grace (ms)
-- Returns { 'ok' or 'nothing', …, ms until somebody else is due or -1 }
all_keys()
local first = open(KEY, 7)
if first then return first end
local gone, wait = 0, -1
local exists = call('EXISTS', STATE) == 1
local all = call('HGETALL', MEMBERS)
if not exists then SOURCE = 'internal' end
for i = 1, #all, 2 do
  if string.byte(all[i]) == 64 then -- '@'
    local key = string.sub(all[i], 2)
    local entry = user_entry(key)
    if entry.sockets == 0 and entry.shown == '1' then
      local due = entry.seen + ARGV[14] - now
      if due <= 0 then
        gone = gone + 1
        entry.shown = '0'
        user_put(key, entry)
        if exists then
          audit('leave', 'connection lost', nil, nil, { entry.user, entry.role, '' })
          last_to_outbox(key, entry.user)
        end
      elseif wait < 0 or due < wait then
        wait = due
      end
    end
  end
end
if gone == 0 then return answer('nothing', wait) end
USER = ''
presence_update()
return done(answer('ok', wait))
