package org.example;

/** A thing somebody owns. The fields are in alphabetical order, so that every peer writes the same bytes. */
final class Asset {
    private final int AppraisedValue;
    private final String Color;
    private final String ID;
    private final String Owner;
    private final int Size;

    Asset(final String id, final String color, final int size, final String owner, final int appraisedValue) {
        this.AppraisedValue = appraisedValue;
        this.Color = color;
        this.ID = id;
        this.Owner = owner;
        this.Size = size;
    }

    String id() {
        return ID;
    }

    String owner() {
        return Owner;
    }

    /** The same thing with another owner. */
    Asset ownedBy(final String owner) {
        return new Asset(ID, Color, Size, owner, AppraisedValue);
    }
}
