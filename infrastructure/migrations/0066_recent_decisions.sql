-- What left last for a person, of each kind and through each channel: bursts are collected from there on.
CREATE INDEX decisions_left ON decisions (recipient, scene, channel, position)
 WHERE decision = 'deliver' AND channel <> 'in_app';
