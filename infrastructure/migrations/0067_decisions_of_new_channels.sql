-- Every event has a decision for every channel. Events that were answered when there were two channels get theirs for
-- the other four, with the reason that is true of them; on a new database there is nothing to add.
INSERT INTO decisions (event_id, position, recipient, scene, channel, decision, reason, notification_id, recorded_at)
SELECT d.event_id, d.position, d.recipient, d.scene, c.channel, 'suppress', 'before_channel_existed', d.notification_id,
       d.recorded_at
  FROM decisions d
  CROSS JOIN (SELECT 'wechat_cloud' AS channel UNION ALL SELECT 'wechat_official' UNION ALL SELECT 'wecom_app'
              UNION ALL SELECT 'wecom_robot') c
 WHERE d.channel = 'in_app'
ON CONFLICT (event_id, recipient, scene, channel) DO NOTHING;
