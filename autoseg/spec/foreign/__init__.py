"""What files of other programs have: their JSON, COCO, units and cells of tables."""
