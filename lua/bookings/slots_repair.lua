-- Makes the table what PostgreSQL says: adds slots of active sessions, removes those that nobody has.
-- KEYS 1 {interviews}:active   then {interviews}:user of each session to add, then of each removed slot whose user is known
-- ARGV 1 sessions to add   then id, end (ms) of each   then of each removal id, end (ms), user is known ('1' or '')
-- Returns { removed }
-- A slot is removed only if it ends when the caller saw it end: one that was given away or confirmed since then stays.
-- Safe to repeat by itself.
local adds, key, arg = tonumber(ARGV[1]), 2, 2
for _ = 1, adds do
  put_session(KEYS[key], ARGV[arg], ARGV[arg + 1])
  key, arg = key + 1, arg + 2
end
local removed = 0
while ARGV[arg] do
  removed = removed + remove_if(ACTIVE, ARGV[arg], ARGV[arg + 1])
  if ARGV[arg + 2] == '1' then
    remove_if(KEYS[key], ARGV[arg], ARGV[arg + 1])
    key = key + 1
  end
  arg = arg + 3
end
return { removed }
