-- A node listens to a scope (again): registers it, restores its members if this Redis has lost them, and returns what it
-- missed; of a log of another epoch that is all, as long as nothing was trimmed. A scope that is not there is not made,
-- unless the node has members to restore.
-- KEYS 1 scope:meta   2 scope:log   3 scope:members
-- ARGV 1–6 as in lib/scope.lua   7 node   8 cursor's epoch ('' none)   9 cursor's id   10 limit of entries
--      11 presence is announced here ('1' or '')
--      then per member of this node: sid, user key, user, role, node, session epoch
-- Returns { epoch ('' no such scope), last, trimmed up to, reset, more, id, body, id, body, … }
LOG, MEMBERS = KEYS[2], KEYS[3]
open('', 0)
local known = epoch
if not known and #ARGV <= 11 then return { '', '0-0', '0-0', ARGV[8] ~= '' and 1 or 0, 0 } end
ensure()
listen(ARGV[7])

-- Members are restored only in a Redis that came back empty. In the same epoch a member that is missing was removed.
if known ~= ARGV[8] and ARGV[8] ~= '' then
  if ARGV[11] == '1' then
    noted = true
    put('pn', 1)
  end
  for i = 12, #ARGV, 6 do
    if call('HEXISTS', MEMBERS, ARGV[i]) == 0 then -- announced with the join that follows
      member_put(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4], ARGV[i + 5], true)
    end
  end
end
commit()
pending = {}
keep(now, META, LOG, MEMBERS)
commit()
local result = { epoch, last, call('HGET', META, 'trim') or '0-0', 0, 0 }
local limit = tonumber(ARGV[10])
if ARGV[8] == '' or limit == 0 then return result end
if ARGV[8] == epoch or result[3] ~= '0-0' then return log_after(result, ARGV[8], ARGV[9], limit) end
-- A log that began anew, and is whole: all of it was missed.
log_after(result, epoch, '0-0', limit)
result[4] = 1
return result
