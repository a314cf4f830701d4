-- Everybody: {now-ms, owners, running, locks}; locks are key and owner, 48 bytes each.
-- KEYS: meta owners running locks   ARGV: run shift
if restarted() then return 'RESTARTED' end
local all, locks = call('HGETALL', KEYS[4]), {}
for i = 1, #all, 2 do locks[(i + 1) / 2] = all[i] .. sub(all[i + 1], 1, 16) end
return {tostring(now()), call('HGETALL', KEYS[2]), call('HGETALL', KEYS[3]), table.concat(locks)}
