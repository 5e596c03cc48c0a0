-- Fills a cold table with the active sessions of PostgreSQL, unless somebody has done so meanwhile.
-- KEYS 1 {interviews}:active   2 {interviews}:ready   then {interviews}:user of each session
-- ARGV 1 these are the last of them ('1' or '')   then id, the session's end (ms) of each
-- Returns { filled }
-- Safe to repeat by itself. Slots that starts have confirmed meanwhile stay. Until the last part the table is cold.
if call('EXISTS', KEYS[2]) == 1 then return { 0 } end
for i = 3, #KEYS do put_session(KEYS[i], ARGV[2 * i - 4], ARGV[2 * i - 3]) end
if ARGV[1] == '1' then call('SET', KEYS[2], '1') end
return { 1 }
